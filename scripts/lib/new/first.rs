// SPDX-License-Identifier: GPL-2.0

//! A first driver that does DMA.

use kernel::{
    device::{Core, Start},
    dma::{Coherent, CoherentBox, DmaMask},
    init::pin_init_scope,
    io::{poll::read_poll_timeout, Io},
    pci,
    prelude::*,
    time::Delta,
};

struct FirstDriver;

/// What the driver keeps for a device, while it is bound to it.
struct Data<'bound> {
    regs: pci::Bar<'bound, 0xa0>,
    memory: Coherent<'bound, [u8]>,
}

const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

impl pci::Driver for FirstDriver {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;

    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            dev.enable_device_mem()?;
            let regs = dev.iomap_region_sized(0, c"first")?;

            // The device has 28 address lines. Memory can be allocated once that is settled.
            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<28>())?;
            let dma = setup.finish()?;

            // Ours, until it is shared with the device.
            let mut memory = CoherentBox::<[u8]>::zeroed_slice(dma, 4096, GFP_KERNEL)?;
            memory[..5].copy_from_slice(b"hello");

            Ok(Data {
                regs,
                memory: memory.share(),
            })
        })
    }

    fn start(dev: &pci::Device<Start<'_>>, data: Pin<&Data<'_>>) -> Result {
        if data.regs.read32(0x98) & 1 != 0 {
            return Err(EBUSY);
        }

        // SAFETY: The run bit is clear, bit 0 of the register at 0x98. So the device is in no
        // transfer, and it begins none before the bit is set, for addresses written before that.
        unsafe { dev.set_master() };

        // From memory to the device's own, at 0x40000: 5 bytes.
        let memory = data.memory.dma_address() as u32;
        data.regs.write32(memory, 0x80);
        data.regs.write32(0x40000, 0x88);
        data.regs.write32(5, 0x90);
        data.regs.write32(1, 0x98);

        // It is asked every 10 ms, for a second at most.
        read_poll_timeout(
            || Ok(data.regs.read32(0x98)),
            |command| command & 1 == 0,
            Delta::from_millis(10),
            Delta::from_secs(1),
        )?;
        dev_info!(dev, "the device has it\n");
        Ok(())
    }
}

kernel::module_pci_driver! {
    type: FirstDriver,
    name: "first",
    authors: ["A. U. Thor"],
    description: "A first driver that does DMA",
    license: "GPL",
}
