// SPDX-License-Identifier: GPL-2.0

//! A device that is never at rest: its handler starts the next transfer. It is unbound and bound by
//! several shells at once. What it was told in one binding must not go on in the next.

use core::sync::atomic::{AtomicU32, Ordering};
use kernel::{
    device::{Core, Start},
    dma::{Coherent, CoherentBox, DmaMask},
    init::pin_init_scope,
    io::Io,
    irq::{Flags, Handler, IrqReturn},
    pci::{self, IrqTypes},
    prelude::*,
    time::{delay::fsleep, Delta},
};

static FIRST: AtomicU32 = AtomicU32::new(0);

struct Data<'bound> {
    regs: pci::Bar<'bound, 0xa0>,
    vectors: pci::IrqVectorRegistration<'bound>,
    memory: Coherent<'bound, [u8]>,
}

struct Attack;
const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

impl Data<'_> {
    fn go(&self, from: u32, to: u32, command: u32) {
        self.regs.write32(from, 0x80);
        self.regs.write32(to, 0x88);
        self.regs.write32(4096, 0x90);
        self.regs.write32(command | 1, 0x98);
    }

    fn address(&self) -> u32 {
        self.memory.dma_address() as u32
    }
}

impl Handler for Data<'_> {
    fn handle(&self) -> IrqReturn {
        let why = self.regs.read32(0x24);
        if why == 0 {
            return IrqReturn::None;
        }
        self.regs.write32(why, 0x64);
        self.go(0x40000, self.address(), 6);
        IrqReturn::Handled
    }
}

impl pci::Driver for Attack {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;
    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _: Option<&'bound ()>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            dev.enable_device_mem()?;
            let regs = dev.iomap_region_sized(0, c"unbind_busy")?;
            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<28>())?;
            let dma = setup.finish()?;
            let vectors = dev.alloc_irq_vectors(1, 1, IrqTypes::all())?;
            let mut memory = CoherentBox::<[u8]>::zeroed_slice(dma, 4096, GFP_KERNEL)?;
            memory.fill(0x44);
            Ok(Data {
                regs,
                vectors,
                memory: memory.share(),
            })
        })
    }

    fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        dev.reset_and_set_master()?;
        if FIRST.fetch_add(1, Ordering::Relaxed) < 3 {
            data.go(data.address(), 0x40000, 0);
            fsleep(Delta::from_millis(200));
        }
        let vector = data.get_ref().vectors.index(0)?;
        dev.request_irq(vector, Flags::SHARED, c"unbind_busy", data.get_ref())?;
        data.go(0x40000, data.address(), 6);
        pr_info!("not hit\n");
        Ok(())
    }
}

kernel::module_pci_driver! {
    type: Attack,
    name: "unbind_busy",
    author: "Seed dfb84e63 maintainers",
    description: "A device that is never at rest",
    license: "GPL",
}
