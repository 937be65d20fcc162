// SPDX-License-Identifier: GPL-2.0

//! Bytes are checked to be UTF-8 while the device writes them: what was checked stays as it is.

use kernel::{
    device::{Core, Start},
    dma::{Bidirectional, Coherent, CoherentBox, Dma, DmaMask, Mapping},
    init::pin_init_scope,
    io::Io,
    io_project, new_mutex, pci,
    prelude::*,
    sync::Mutex,
    time::{delay::fsleep, Delta},
};

const N: usize = 512;

#[pin_data]
struct Data<'bound> {
    regs: pci::Bar<'bound, 0xa0>,
    dma: Dma<'bound>,
    #[pin]
    target: Mutex<Mapping<'bound, KVec<u8>, Bidirectional>>,
}

struct Attack;
const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

impl Data<'_> {
    fn go(&self, from: u32, to: u32, command: u32) {
        self.regs.write32(from, 0x80);
        self.regs.write32(to, 0x88);
        self.regs.write32(N as u32, 0x90);
        self.regs.write32(command | 1, 0x98);
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
            let regs = dev.iomap_region_sized(0, c"guard_utf8")?;
            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<28>())?;
            let dma = setup.finish()?;
            let target = Mapping::new(dma, KVec::from_elem(b'a', N, GFP_KERNEL)?)?;
            Ok(try_pin_init!(Data { regs, dma, target <- new_mutex!(target) }))
        })
    }

    fn start(dev: &pci::Device<Start<'_>>, data: Pin<&Data<'_>>) -> Result {
        dev.reset_and_set_master()?;
        // At the very end the first byte of a character of four.
        let mut source = CoherentBox::from_slice(data.dma, &[b'a'; N], GFP_KERNEL)?;
        source[N - 1] = 0xf0;
        let source: Coherent<'_, [u8]> = source.share();
        data.go(source.dma_address() as u32, 0x40000, 0);
        fsleep(Delta::from_millis(300));
        let mut target = data.target.lock();
        data.go(0x40000, target.dma_address() as u32, 2);

        let guard = target.for_cpu();
        let mut copy = [0; N];
        guard.copy_to_slice(&mut copy);
        let text = core::str::from_utf8(&copy).map_err(|_| EINVAL)?;
        let last = io_project!(&guard, [try: N - 1]);
        let before = last.read_val();
        fsleep(Delta::from_millis(300));
        let characters = core::hint::black_box(text).chars().count();
        if characters != N || core::str::from_utf8(core::hint::black_box(&copy)).is_err() {
            pr_err!("HIT: {characters} characters\n");
        }
        pr_info!("the last byte was {before:#x}, is {:#x}\n", last.read_val());
        pr_info!("not hit\n");
        Ok(())
    }
}

kernel::module_pci_driver! {
    type: Attack,
    name: "guard_utf8",
    author: "Seed dfb84e63 maintainers",
    description: "Text that the device writes",
    license: "GPL",
}
