// SPDX-License-Identifier: GPL-2.0

//! Pools of small objects.

use crate::{Data, Test};
use kernel::{
    alloc::flags,
    device::Start,
    dma::{Dma, Pool, PoolBox, PoolCoherent},
    io::Io,
    io_project, new_spinlock,
    page::PAGE_SIZE as PAGE,
    pci,
    prelude::*,
    stack_pin_init,
    sync::Arc,
};

/// An object that keeps its pool.
pub(crate) type Object<'bound> = PoolCoherent<Arc<Pool<'bound, [u64]>>>;

pub(crate) fn wrong(_dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let dma = data.dma()?;
    let name = c"wrong/ and %s";
    let new = |align, boundary| Pool::<[u8; 64]>::new(dma, name, align, boundary);
    for align in [0, 3, 48, 2 * PAGE, usize::MAX, 1 << 63] {
        check!(new(align, 0).err() == Some(EINVAL));
    }
    for boundary in [1, 3, 32, 63, 65, 96, usize::MAX] {
        check!(new(1, boundary).err() == Some(EINVAL));
    }
    // Rounded up to the alignment, an object is larger than the boundary.
    check!(new(128, 64).err() == Some(EINVAL));
    for (align, boundary) in [(1, 0), (64, 64), (128, 128), (PAGE, PAGE), (1, 1 << 63)] {
        let pool = new(align, boundary)?;
        check!(PoolCoherent::zeroed(&pool, GFP_KERNEL)?.dma_address() % align as u64 == 0);
    }
    let slice = |len| Pool::<[u64]>::new_slice(dma, name, len, 8, 0);
    for len in [
        0,
        PAGE / 8 + 1,
        usize::MAX / 8 + 1,
        usize::MAX / 8 + 2,
        usize::MAX,
    ] {
        check!(slice(len).err() == Some(EINVAL));
    }
    let rounded = Pool::<[u64]>::new_slice(dma, name, usize::MAX / 8, PAGE, 0);
    check!(rounded.err() == Some(EINVAL));
    for len in [1, PAGE / 8] {
        let pool = slice(len)?;
        let object = PoolBox::zeroed(&pool, GFP_KERNEL)?;
        check!(object.len() == len && object.share().len() == len);
    }
    let pool = new(64, 0)?;
    for flags in [GFP_KERNEL | flags::__GFP_HIGHMEM, !GFP_KERNEL] {
        check!(PoolBox::zeroed(&pool, flags).err() == Some(EINVAL));
    }
    Ok(())
}

/// Objects are apart, zeroed when they are allocated again, and cross no boundary.
pub(crate) fn objects(_dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let pool = Pool::<[u8; 40]>::new(data.dma()?, c"objects", 16, 128)?;
    for _ in 0..3 {
        let mut objects = KVec::new();
        for number in 0..200u8 {
            let object = PoolBox::zeroed(&pool, GFP_ATOMIC)?;
            check!(object.iter().all(|byte| *byte == 0));
            let object = object.share();
            object.copy_write([number + 1; 40]);
            let address = object.dma_address();
            check!(address % 16 == 0 && address < 1 << 28);
            check!(address / 128 == (address + 39) / 128);
            let last = io_project!(object, [build: 39]);
            check!(last.dma_address() == address + 39);
            objects.push(object, GFP_KERNEL)?;
        }
        for (number, object) in objects.iter().enumerate() {
            check!(object.copy_read() == [number as u8 + 1; 40]);
        }
    }
    check!(*PoolBox::new(&pool, [7; 40], GFP_KERNEL)? == [7; 40]);
    // What is freed comes next, with the address that it had.
    let object = PoolBox::new(&pool, [7; 40], GFP_KERNEL | flags::__GFP_ZERO)?.share();
    check!(object.size() == 40);
    let address = object.dma_address();
    // SAFETY: The device was not told of it.
    unsafe { object.free() };
    let object = PoolBox::zeroed(&pool, GFP_KERNEL | flags::__GFP_ZERO)?.share();
    check!(object.dma_address() == address && object.copy_read() == [0; 40]);
    Ok(())
}

/// Objects can be allocated and freed where sleeping is not allowed.
pub(crate) fn atomic(_dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let pool = Pool::<u64>::new(data.dma()?, c"atomic", 8, 0)?;
    let first = PoolCoherent::zeroed(&pool, GFP_KERNEL)?;
    stack_pin_init!(let lock = new_spinlock!(0));
    let guard = lock.lock();
    drop(first);
    let second = PoolBox::zeroed(&pool, GFP_ATOMIC);
    drop(second.map(PoolBox::share)?);
    drop(guard);
    Ok(())
}

/// An object of a pool that nobody else has.
pub(crate) fn object<'bound>(dma: Dma<'bound>) -> Result<Object<'bound>> {
    let pool = Pool::<[u64]>::new_slice(dma, c"kept", 32, 256, PAGE)?;
    Ok(PoolBox::zeroed(Arc::new(pool, GFP_KERNEL)?, GFP_KERNEL)?.share())
}

/// A pool that is counted stays as long as its objects, which may be those that are dropped last.
pub(crate) fn kept(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let pool = Pool::<[u64]>::new_slice(dma, c"kept", 32, 256, PAGE)?;
    let pool = Arc::new(pool, GFP_KERNEL)?;
    for _ in 0..20 {
        let object = PoolBox::zeroed(pool.clone(), GFP_KERNEL)?.share();
        test.kept.objects.push(object, GFP_KERNEL)?;
    }
    Ok(())
}

pub(crate) fn moves(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    let pool = Pool::<[u8; 40]>::new(dma, c"moves", 8, 0)?;
    let from = PoolBox::new(&pool, [0x5a; 40], GFP_KERNEL)?.share();
    let to = PoolCoherent::zeroed(&pool, GFP_KERNEL)?;
    let beside = PoolCoherent::zeroed(&pool, GFP_KERNEL)?;
    edu.fetch(from.dma_address(), 0, 40)?;
    edu.store(0, to.dma_address(), 40)?;
    check!(to.copy_read() == [0x5a; 40]);
    check!(beside.copy_read() == [0; 40]);
    Ok(())
}
