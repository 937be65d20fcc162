// SPDX-License-Identifier: GPL-2.0

//! All that may sleep, in the handler of a hard interrupt: C would warn, or hit a BUG().

use core::sync::atomic::{AtomicU32, Ordering};
use kernel::{
    device::{Bound, Core, Start},
    dma::{Coherent, CoherentBox, Dma, DmaMask, Mapping, Pool, PoolBox, ToDevice},
    init::pin_init_scope,
    io::Io,
    irq::{Flags, Handler, IrqReturn},
    pci::{self, IrqTypes},
    prelude::*,
    scatterlist::{Owned, Pages, SGTable},
    time::{delay::fsleep, Delta},
};

struct Data<'bound> {
    regs: pci::Bar<'bound, 0xa0>,
    vectors: pci::IrqVectorRegistration<'bound>,
    dma: Dma<'bound>,
    dev: &'bound pci::Device<Bound>,
    step: AtomicU32,
}

struct Attack;
const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

impl Data<'_> {
    /// Returns how many of the calls went through.
    fn step(&self, step: u32) -> usize {
        let dma = self.dma;
        let flags = if step % 2 == 0 {
            GFP_ATOMIC
        } else {
            GFP_KERNEL
        };
        let pages = Pages::zeroed(3, flags);
        let table = pages.map(|pages| SGTable::<Owned<'_, _, ToDevice>>::new(dma, pages, flags));
        let pool = Pool::<[u64; 8]>::new(dma, c"irq_drop", 64, 0);
        // A lock of C's is behind these, which others hold with interrupts on.
        let sizes = (
            dma.max_mapping_size() >= dma.opt_mapping_size(),
            dma.addressing_limited(),
        );
        pr_info!("{sizes:?}\n");
        let all = [
            Coherent::<[u8]>::zeroed_slice(dma, 8192, flags).is_ok(),
            Coherent::<[u8]>::zeroed_slice(dma, 1 << 20, flags).is_ok(),
            CoherentBox::<[u8]>::zeroed_slice(dma, 8192, flags).is_ok(),
            table.is_ok_and(|table| table.is_ok()),
            pool.is_ok_and(|pool| PoolBox::zeroed(&pool, flags).is_ok()),
            KVec::from_elem(0u8, 4096, GFP_ATOMIC)
                .is_ok_and(|buffer| Mapping::<_, ToDevice>::new(dma, buffer).is_ok()),
            self.dev.iomap_region(1, c"irq_drop").is_ok(),
            self.dev.iomap_region(0, c"irq_drop").is_ok(),
        ];
        all.iter().filter(|is_ok| **is_ok).count()
    }
}

impl Handler for Data<'_> {
    fn handle(&self) -> IrqReturn {
        let why = self.regs.read32(0x24);
        self.regs.write32(why, 0x64);
        if why == 0 {
            return IrqReturn::None;
        }
        let step = self.step.fetch_add(1, Ordering::Relaxed);
        pr_info!("step {step}: {} of 8 can be had\n", self.step(step));
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
            let regs = dev.iomap_region_sized(0, c"irq_drop")?;
            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<28>())?;
            let dma = setup.finish()?;
            let vectors = dev.alloc_irq_vectors(1, 1, IrqTypes::all())?;
            Ok(Data {
                regs,
                vectors,
                dma,
                dev,
                step: AtomicU32::new(0),
            })
        })
    }

    fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        dev.reset_and_set_master()?;
        let vector = data.get_ref().vectors.index(0)?;
        dev.request_irq(vector, Flags::SHARED, c"irq_drop", data.get_ref())?;
        for _ in 0..4 {
            data.regs.write32(1, 0x60);
            fsleep(Delta::from_millis(100));
        }
        if data.step.load(Ordering::Relaxed) == 4 {
            pr_info!("not hit\n");
        }
        Ok(())
    }
}

kernel::module_pci_driver! {
    type: Attack,
    name: "irq_drop",
    author: "Seed dfb84e63 maintainers",
    description: "What may sleep, in an interrupt",
    license: "GPL",
}
