// SPDX-License-Identifier: GPL-2.0

//! What is dropped while the device may master the bus is kept until it can't, and what the device
//! writes late is nobody else's; what is dropped at other times is freed at once.
//!
//! That all of it is freed at the end, `cases.sh` and DMA-API debugging see.

use crate::{
    coherent::{bytes, pattern},
    edu::Edu,
    pool,
    streaming::nothing,
    Data, Test,
};
use kernel::{
    device::{Core, Start},
    dma::{
        Bidirectional, Coherent, CoherentBox, CoherentHandle, Dma, DmaAddress, FromDevice, Mapping,
        NonCoherent, Parked, Pool, PoolBox, PoolCoherent, ToDevice,
    },
    io::Io,
    io_project, io_read, new_mutex, new_spinlock,
    page::PAGE_SIZE as PAGE,
    pci,
    prelude::*,
    scatterlist::{Owned, Pages, SGTable},
    sync::{Arc, Completion, Mutex},
};

type Table<'bound, M, D> = SGTable<Owned<'bound, M, D>>;

/// Checks that `count` and `size` more are parked than before.
macro_rules! check_parked {
    ($dma:expr, $before:expr, $count:expr, $size:expr) => {{
        let (before, after): (Parked, Parked) = ($before, $dma.parked());
        if (after.count, after.bytes) != (before.count + $count, before.bytes + $size) {
            pr_err!(
                "{:?} before, {:?} after, {} of {}\n",
                before,
                after,
                $count,
                $size
            );
        }
        check!(after.count == before.count + $count && after.bytes == before.bytes + $size);
    }};
}

fn vector(len: usize) -> Result<VVec<u8>> {
    let mut vector = VVec::new();
    vector.extend_from_slice(&KVec::from_elem(0, len, GFP_KERNEL)?, GFP_KERNEL)?;
    Ok(vector)
}

/// One of each kind, dropped. `parks` is whether that keeps them.
fn each(dma: Dma<'_>, parks: bool) -> Result {
    let of = |size: usize| if parks { (1, size) } else { (0, 0) };
    macro_rules! dropped {
        ($size:expr, $value:expr) => {{
            let (before, value) = (dma.parked(), $value);
            check!(dma.parked() == before);
            drop(value);
            let (count, size) = of($size);
            check_parked!(dma, before, count, size);
        }};
    }
    dropped!(5000, bytes(dma, 5000)?);
    dropped!(8, Coherent::<u64>::zeroed(dma, GFP_KERNEL)?);
    dropped!(
        100,
        CoherentBox::from_slice(dma, &[1u8; 100], GFP_KERNEL)?.share()
    );
    dropped!(5000, CoherentHandle::alloc(dma, 5000, GFP_KERNEL)?);
    dropped!(
        64,
        NonCoherent::<[u8; 64], FromDevice>::zeroed(dma, GFP_KERNEL)?
    );
    dropped!(
        70,
        NonCoherent::<[u8], Bidirectional>::zeroed_slice(dma, 70, GFP_KERNEL)?
    );
    if !nothing(dma) {
        dropped!(5000, Mapping::<_, ToDevice>::new(dma, pattern(5000, 1)?)?);
        dropped!(5000, Mapping::<_, FromDevice>::new(dma, pattern(5000, 1)?)?);
        dropped!(
            64,
            Mapping::<_, Bidirectional>::new(dma, KBox::new([0u8; 64], GFP_KERNEL)?)?
        );
        let pages = Pages::zeroed(3, GFP_KERNEL)?;
        dropped!(
            3 * PAGE,
            Table::<_, FromDevice>::new(dma, pages, GFP_KERNEL)?
        );
        dropped!(
            5000,
            Table::<_, ToDevice>::new(dma, vector(5000)?, GFP_KERNEL)?
        );
    }
    // What the device was never told of is freed at once.
    let before = dma.parked();
    drop(CoherentBox::<[u8]>::zeroed_slice(dma, 5000, GFP_KERNEL)?);
    let pool = Arc::new(
        Pool::<[u64]>::new_slice(dma, c"each", 32, 256, 0)?,
        GFP_KERNEL,
    )?;
    drop(PoolBox::zeroed(pool.clone(), GFP_KERNEL)?);
    check!(dma.parked() == before);
    // The pool does not take back what the device may have.
    let object = PoolCoherent::zeroed(pool.clone(), GFP_KERNEL)?;
    let address = object.dma_address();
    drop(object);
    let (count, size) = of(256);
    check_parked!(dma, before, count, size);
    let mut again = KVec::new();
    for _ in 0..2 * PAGE / 256 {
        again.push(
            PoolBox::zeroed(pool.clone(), GFP_KERNEL)?.share(),
            GFP_KERNEL,
        )?;
    }
    check!(again.iter().any(|object| object.dma_address() == address) != parks);
    // A pool whose objects are all free is freed.
    let (before, pool) = (dma.parked(), Pool::<u64>::new(dma, c"each", 8, 0)?);
    drop(PoolBox::zeroed(&pool, GFP_KERNEL)?);
    // SAFETY: The device was not told of it.
    unsafe { PoolCoherent::zeroed(&pool, GFP_KERNEL)?.free() };
    drop(pool);
    check!(dma.parked() == before);
    Ok(())
}

/// Nothing is kept before `start`.
pub(crate) fn probe(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.dma = Some(dma);
    each(dma, false)?;
    check!(dma.parked() == Parked::default());
    // Nor when somebody turns off what is off, which takes a lock; but not within itself.
    let dev = test.dev;
    dev.clear_master(|_| {
        check!(dev.clear_master(|_| Ok(())) == Err(EBUSY));
        Ok(())
    })?;
    dev.clear_master(|_| Ok(()))?;
    if cfg!(CONFIG_PREEMPT_COUNT) {
        let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let guard = lock.lock();
        let refused = test.dev.clear_master(|_| Ok(()));
        drop(guard);
        check!(refused == Err(EINVAL));
    }
    each(dma, false)?;
    check!(dma.parked() == Parked::default());
    Ok(())
}

/// From its begin on it may be, whether the device has been told that it may master the bus or not;
/// and in `unbind`, until it has been told that it may not.
pub(crate) fn probe_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let dma = data.dma()?;
    check!(dma.parked() == Parked::default());
    each(dma, true)?;
    data.set_master(dev)?;
    each(dma, true)?;
    check!(dma.parked().count >= 14);
    Ok(())
}

pub(crate) fn probe_unbind(dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let dma = data.dma()?;
    each(dma, true)?;
    dev.clear_master(|_| Ok(()))?;
    let before = dma.parked();
    each(dma, false)?;
    check!(dma.parked() == before);
    Ok(())
}

/// Has the device hold nothing but 0xff.
fn fill<'bound>(dma: Dma<'bound>, edu: &Edu<'bound>) -> Result {
    let ones = CoherentBox::from_slice(dma, &[0xffu8; 512], GFP_KERNEL)?.share();
    for at in 0..8 {
        edu.fetch(ones.dma_address(), 512 * at, 512)?;
    }
    edu.free(ones)
}

/// Has the device write to memory that is dropped meanwhile, and somebody else allocate much.
fn late<'bound, T>(
    dma: Dma<'bound>,
    edu: &Edu<'bound>,
    memory: T,
    address: DmaAddress,
    len: usize,
) -> Result {
    let mut coherent = KVec::new();
    let mut others = KVec::new();
    let mut pages = KVec::new();
    let before = dma.parked();
    edu.begin_store(0, address, len)?;
    check!(edu.is_busy());
    drop(memory);
    check_parked!(dma, before, 1, len);
    for _ in 0..64 {
        others.push(KVec::from_elem(0u8, len, GFP_KERNEL)?, GFP_KERNEL)?;
        coherent.push(bytes(dma, len)?, GFP_KERNEL)?;
        pages.push(Pages::zeroed(1, GFP_KERNEL)?, GFP_KERNEL)?;
    }
    edu.wait()?;
    let mut found = KVec::from_elem(0xffu8, len, GFP_KERNEL)?;
    for ((others, coherent), pages) in others.iter().zip(coherent).zip(&pages) {
        check!(others.iter().all(|byte| *byte == 0));
        coherent.copy_to_slice(&mut found);
        check!(found.iter().all(|byte| *byte == 0));
        edu.free(coherent)?;
        let len = len.min(PAGE);
        pages.copy_to_slice(0, &mut found[..len])?;
        check!(found[..len].iter().all(|byte| *byte == 0));
    }
    check_parked!(dma, before, 1, len);
    Ok(())
}

/// A device that answers late changes no memory that anybody else has.
pub(crate) fn answers_late(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    fill(dma, edu)?;
    let memory = bytes(dma, 4096)?;
    let address = memory.dma_address();
    late(dma, edu, memory, address, 4096)?;
    let memory = CoherentHandle::alloc(dma, 4096, GFP_KERNEL)?;
    let address = memory.dma_address();
    late(dma, edu, memory, address, 4096)?;
    let memory = NonCoherent::<[u8; 4096], FromDevice>::zeroed(dma, GFP_KERNEL)?;
    let address = memory.dma_address();
    late(dma, edu, memory, address, 4096)?;
    if nothing(dma) {
        return Ok(());
    }
    for len in [64, 4096] {
        let memory = Mapping::<_, FromDevice>::new(dma, KVec::from_elem(0u8, len, GFP_KERNEL)?)?;
        let address = memory.dma_address();
        late(dma, edu, memory, address, len)?;
    }
    let memory = Table::<_, FromDevice>::new(dma, vector(4096)?, GFP_KERNEL)?;
    let address = memory.iter().next().ok_or(EINVAL)?.dma_address();
    late(dma, edu, memory, address, 4096)
}

/// Nor an object of a pool, whose free objects hold a list.
pub(crate) fn object_late(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    fill(dma, edu)?;
    let pool = Arc::new(Pool::<[u8; 64]>::new(dma, c"late", 64, 0)?, GFP_KERNEL)?;
    let object = PoolCoherent::zeroed(pool.clone(), GFP_KERNEL)?;
    let (address, before) = (object.dma_address(), dma.parked());
    edu.begin_store(0, address, 64)?;
    drop(object);
    check_parked!(dma, before, 1, 64);
    edu.wait()?;
    let mut objects = KVec::new();
    for _ in 0..2 * PAGE / 64 {
        let object = PoolCoherent::zeroed(pool.clone(), GFP_KERNEL)?;
        check!(object.dma_address() != address);
        check!(object.copy_read() == [0; 64]);
        objects.push(object, GFP_KERNEL)?;
    }
    for object in objects {
        check!(object.copy_read() == [0; 64]);
        // SAFETY: The device was not told of it.
        unsafe { object.free() };
    }
    check_parked!(dma, before, 1, 64);
    drop(pool);
    // As one is not free, nor is the pool: others get other memory.
    for _ in 0..64 {
        let memory = bytes(dma, PAGE)?;
        check!(address < memory.dma_address() || address >= memory.dma_address() + PAGE as u64);
        edu.free(memory)?;
    }
    Ok(())
}

/// What is claimed to be the CPU's is freed at once, and is there again.
pub(crate) fn freed(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    let before = dma.parked();
    // Of more than there is of all at once.
    for _ in 0..100 {
        edu.free(bytes(dma, 4 << 20)?)?;
        let handle = CoherentHandle::alloc(dma, 4 << 20, GFP_KERNEL)?;
        // SAFETY: The device was not told of it.
        unsafe { handle.free() };
    }
    check!(dma.parked() == before);
    Ok(())
}

/// When `start` fails, all that was dropped in it is freed, after the device was stopped.
pub(crate) fn start_fails(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    fill(dma, edu)?;
    each(dma, true)?;
    let (memory, handle) = (
        bytes(dma, 4096)?,
        CoherentHandle::alloc(dma, 4096, GFP_KERNEL)?,
    );
    edu.store(0, handle.dma_address(), 4096)?;
    let address = if nothing(dma) {
        memory.dma_address()
    } else {
        // What is written to it when it is free, the allocator finds.
        let memory = Mapping::<_, FromDevice>::new(dma, KVec::from_elem(0u8, 4096, GFP_KERNEL)?)?;
        memory.dma_address()
    };
    edu.begin_store(0, address, 4096)?;
    Err(EBUSY)
}

pub(crate) fn start_fails_unbind(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    check!(data.dma()?.parked().count >= 8);
    // If it were freed now, it would be in the hands of others when the device writes.
    Ok(())
}

/// A driver that gives up waiting, by `?`.
fn impatient<'bound>(dma: Dma<'bound>, edu: &Edu<'bound>, done: &Completion) -> Result<KVec<u8>> {
    let target = Mapping::<_, FromDevice>::new(dma, KVec::from_elem(0u8, 4096, GFP_KERNEL)?)?;
    edu.begin_store(0, target.dma_address(), 4096)?;
    done.wait_for_completion_timeout(1)?;
    edu.unmap(target)
}

pub(crate) fn times_out(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    fill(dma, edu)?;
    let done = KBox::pin_init(Completion::new(), GFP_KERNEL)?;
    for number in 1..4 {
        let before = dma.parked();
        check!(impatient(dma, edu, &done).err() == Some(ETIMEDOUT));
        check_parked!(dma, before, 1, 4096);
        let mut others = KVec::new();
        for _ in 0..128 {
            others.push(KVec::from_elem(0u8, 4096, GFP_KERNEL)?, GFP_KERNEL)?;
        }
        edu.wait()?;
        check!(others.iter().flatten().all(|byte| *byte == 0));
        check!(dma.parked().count == number);
    }
    // With more patience it has it.
    done.complete();
    let target = Mapping::<_, FromDevice>::new(dma, KVec::from_elem(0u8, 4096, GFP_KERNEL)?)?;
    edu.store(0, target.dma_address(), 4096)?;
    check!(edu.unmap(target)?[..] == [0xff; 4096]);
    check!(dma.parked().count == 3);
    Ok(())
}

/// What is still there at the end, to be taken back.
pub(crate) struct Taken<'bound> {
    mapping: Option<Mapping<'bound, KVec<u8>, FromDevice>>,
    table: Option<Table<'bound, VVec<u8>, FromDevice>>,
    memory: Coherent<'bound, [u8; 64]>,
}

pub(crate) type Takeable<'bound> = Pin<KBox<Mutex<Taken<'bound>>>>;

/// In `probe`, all can be had back as it is, since the device reaches nothing.
pub(crate) fn taken_back(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.dma = Some(dma);
    let mut memory = Coherent::<[u8; 64]>::zeroed(dma, GFP_KERNEL)?;
    let (mut mapping, mut table) = (None, None);
    test.dev.clear_master(|quiesced| -> Result {
        memory.as_mut_quiesced(quiesced)?[3] = 7;
        check!(memory.copy_read()[3] == 7);
        let mut object = pool::object(dma)?;
        object.as_mut_quiesced(quiesced)?[3] = 7;
        check!(io_read!(object, [try: 3]) == 7);
        if nothing(dma) {
            return Ok(());
        }
        let mut one = Mapping::<_, FromDevice>::new(dma, pattern(4096, 1)?)?;
        check!(one.for_cpu().as_mut_quiesced(quiesced)?[..] == pattern(4096, 1)?[..]);
        check!(one.unmap_quiesced(quiesced)?[..] == pattern(4096, 1)?[..]);
        let mut one = Table::<_, FromDevice>::new(dma, vector(4096)?, GFP_KERNEL)?;
        check!(one.for_cpu().as_mut_quiesced(quiesced)?[..] == [0; 4096]);
        check!(one.unmap_quiesced(quiesced)?[..] == [0; 4096]);
        let buffer = KVec::from_elem(0, 4096, GFP_KERNEL)?;
        mapping = Some(Mapping::new(dma, buffer)?);
        table = Some(Table::new(dma, vector(4096)?, GFP_KERNEL)?);
        Ok(())
    })?;
    check!(dma.parked() == Parked::default());
    let taken = new_mutex!(Taken {
        mapping,
        table,
        memory
    });
    test.kept.taken = Some(KBox::pin_init(taken, GFP_KERNEL)?);
    Ok(())
}

pub(crate) fn taken_back_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    fill(dma, edu)?;
    let taken = data.kept.taken.as_ref().ok_or(EINVAL)?.lock();
    if let Some(mapping) = &taken.mapping {
        edu.store(0, mapping.dma_address(), 4096)?;
    }
    if let Some(table) = &taken.table {
        edu.store(0, table.iter().next().ok_or(EINVAL)?.dma_address(), 4096)?;
    }
    edu.store(0, taken.memory.dma_address(), 32)
}

/// So it can in `unbind`, when the device is kept from the bus, whatever it is still told.
pub(crate) fn taken_back_unbind(dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = (data.dma()?, data.edu()?);
    let mut taken = data.kept.taken.as_ref().ok_or(EINVAL)?.lock();
    let before = dma.parked();
    dev.clear_master(|quiesced| -> Result {
        if let Some(mapping) = taken.mapping.take() {
            edu.begin_store(0, mapping.dma_address(), 64)?;
            check!(mapping.unmap_quiesced(quiesced)?[..] == [0xff; 4096]);
            edu.wait()?;
        }
        if let Some(table) = taken.table.take() {
            check!(table.unmap_quiesced(quiesced)?[..] == [0xff; 4096]);
        }
        edu.begin_store(0, taken.memory.dma_address(), 64)?;
        let bytes = taken.memory.as_mut_quiesced(quiesced)?;
        check!(bytes[..32] == [0xff; 32] && bytes[32..] == [0; 32]);
        edu.wait()?;
        check!(bytes[..32] == [0xff; 32] && bytes[32..] == [0; 32]);
        Ok(())
    })?;
    check!(dma.parked() == before);
    Ok(())
}

/// The view of what is being shared does not change when it is taken back; and a part of a guard is
/// no more than that.
pub(crate) fn guards(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    fill(dma, edu)?;
    let mut target =
        Mapping::<_, Bidirectional>::new(dma, KVec::from_elem(0u8, 4096, GFP_KERNEL)?)?;
    edu.store(0, target.dma_address_at(1024)?, 64)?;
    let mut guard = target.for_cpu_range(1024..2048)?;
    // SAFETY: `store` has waited until the run bit was clear.
    let bytes = unsafe { guard.as_mut() };
    check!(bytes.len() == 1024 && bytes[..64] == [0xff; 64] && bytes[64..] == [0; 960]);
    bytes[64] = 1;
    check!(io_project!(&guard, [try: 60..66]).len() == 6);
    drop(guard);
    check!(edu.unmap(target)?[1088] == 1);
    Ok(())
}
