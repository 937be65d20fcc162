// SPDX-License-Identifier: GPL-2.0

//! Memory is dropped while the device writes to it, and function pointers are allocated instead. If
//! one of them changes, the CPU would call what the device wrote.

use kernel::{
    device::{Core, Start},
    dma::{
        Coherent, CoherentBox, CoherentHandle, Dma, DmaAddress, DmaMask, FromDevice, Mapping,
        NonCoherent, Pool, PoolCoherent,
    },
    init::pin_init_scope,
    io::Io,
    pci,
    prelude::*,
    scatterlist::{Owned, Pages, SGTable},
    sync::Arc,
    time::{delay::fsleep, Delta},
};

const N: usize = 4096;

struct Data<'bound> {
    regs: pci::Bar<'bound, 0xa0>,
    dma: Dma<'bound>,
    source: Coherent<'bound, [u8]>,
}

struct Attack;
const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

fn good() -> u32 {
    42
}

fn into<E: Into<Error>>(error: E) -> Error {
    error.into()
}

impl Data<'_> {
    fn go(&self, from: u32, to: u32, len: usize, command: u32) {
        self.regs.write32(from, 0x80);
        self.regs.write32(to, 0x88);
        self.regs.write32(len as u32, 0x90);
        self.regs.write32(command | 1, 0x98);
    }

    /// Starts a transfer, drops where it goes, and has the memory be somebody else's.
    fn late<T>(&self, name: &str, memory: T, address: DmaAddress, len: usize) -> Result {
        self.go(0x40000, address as u32, len, 2);
        drop(memory);
        let mut calls: KVec<KVec<fn() -> u32>> = KVec::new();
        for _ in 0..64 {
            calls.push(
                KVec::from_elem(good as fn() -> u32, len / 8, GFP_KERNEL)?,
                GFP_KERNEL,
            )?;
        }
        let mut more: KVec<KVec<fn() -> u32>> = KVec::new();
        for _ in 0..8 {
            more.push(
                KVec::from_elem(good as fn() -> u32, N / 8, GFP_KERNEL)?,
                GFP_KERNEL,
            )?;
        }
        fsleep(Delta::from_millis(300));
        let all = || {
            Iterator::chain(calls.iter(), &more)
                .flat_map(|calls| core::hint::black_box(calls).iter())
        };
        let hit = all()
            .filter(|call| **call as usize != good as usize)
            .count();
        if hit != 0 {
            pr_err!("HIT: {name}: {hit} pointers\n");
            return Err(EIO);
        }
        pr_info!(
            "{name}: {}\n",
            all().fold(0u32, |sum, call| sum.wrapping_add(call()))
        );
        Ok(())
    }

    fn all(&self) -> Result {
        let dma = self.dma;
        let zeroes = |len| KVec::from_elem(0u8, len, GFP_KERNEL);
        for len in [64, 512, N] {
            let memory = Mapping::<_, FromDevice>::new(dma, zeroes(len)?).map_err(into)?;
            let address = memory.dma_address();
            self.late("mapping", memory, address, len)?;
        }
        let memory = Coherent::<[u8]>::zeroed_slice(dma, N, GFP_KERNEL)?;
        let address = memory.dma_address();
        self.late("coherent", memory, address, N)?;
        let memory = CoherentHandle::alloc(dma, N, GFP_KERNEL)?;
        let address = memory.dma_address();
        self.late("handle", memory, address, N)?;
        let memory = NonCoherent::<[u8; N], FromDevice>::zeroed(dma, GFP_KERNEL)?;
        let address = memory.dma_address();
        self.late("non-coherent", memory, address, N)?;
        let pages = Pages::zeroed(1, GFP_KERNEL)?;
        let memory =
            SGTable::<Owned<'_, _, FromDevice>>::new(dma, pages, GFP_KERNEL).map_err(into)?;
        let address = memory.iter().next().ok_or(EINVAL)?.dma_address();
        self.late("table", memory, address, N)?;
        // With its pool, too.
        let pool = Arc::new(Pool::<[u8; 64]>::new(dma, c"late", 64, 0)?, GFP_KERNEL)?;
        let memory = PoolCoherent::zeroed(pool.clone(), GFP_KERNEL)?;
        let address = memory.dma_address();
        self.late("object", memory, address, 64)?;
        for _ in 0..64 {
            drop(PoolCoherent::zeroed(pool.clone(), GFP_KERNEL)?);
        }
        let memory = PoolCoherent::zeroed(pool.clone(), GFP_KERNEL)?;
        let address = memory.dma_address();
        self.late("pool", (memory, pool), address, 64)?;
        pr_info!("{} bytes parked\n", dma.parked().bytes);
        Ok(())
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
            let regs = dev.iomap_region_sized(0, c"unmap_uaf")?;
            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<28>())?;
            let dma = setup.finish()?;
            let source = CoherentBox::from_slice(dma, &[0x41; 512], GFP_KERNEL)?.share();
            Ok(Data { regs, dma, source })
        })
    }

    fn start(dev: &pci::Device<Start<'_>>, data: Pin<&Data<'_>>) -> Result {
        dev.reset_and_set_master()?;
        for at in 0..8 {
            data.go(data.source.dma_address() as u32, 0x40000 + 512 * at, 512, 0);
            fsleep(Delta::from_millis(200));
        }
        data.all()?;
        // And now in a failing `start`, with the last transfer under way.
        let memory = Coherent::<[u8]>::zeroed_slice(data.dma, N, GFP_KERNEL)?;
        data.go(0x40000, memory.dma_address() as u32, N, 2);
        pr_info!("not hit\n");
        Err(ENODEV)
    }
}

kernel::module_pci_driver! {
    type: Attack,
    name: "unmap_uaf",
    author: "Seed dfb84e63 maintainers",
    description: "Memory that is dropped under the device",
    license: "GPL",
}
