// SPDX-License-Identifier: GPL-2.0

//! Memory that the CPU and the device have in turns: mappings of buffers, and non-coherent memory.
//!
//! With bounce buffers (`swiotlb=force`), a sync that is left out is seen.

use crate::{coherent::pattern, edu::Edu, Data};
use core::mem::forget;
use kernel::{
    alloc::flags,
    device::Start,
    dma::{attrs, Bidirectional, Dma, FromDevice, Mapping, NonCoherent, PageBox, ToDevice},
    fmt,
    io::Io,
    io_project, io_read, io_write,
    page::{Page, PAGE_SIZE as PAGE},
    pci,
    prelude::*,
    str::CString,
};

/// Whether there is memory that the device can't reach, so that a mapping of it may be copied, or
/// fail. C warns then, so nothing is mapped here. `ci/tests` know where to expect it.
pub(crate) fn nothing(dma: Dma<'_>) -> bool {
    // With an IOMMU, which is what can merge, the device reaches all.
    let nothing = dma.addressing_limited() && dma.merge_boundary_mask() == 0;
    if nothing {
        pr_info!("nothing can be mapped\n");
    }
    nothing
}

fn zeroes(len: usize) -> Result<KVec<u8>> {
    Ok(KVec::from_elem(0, len, GFP_KERNEL)?)
}

/// Lets the device have a number of bytes, and then others, through its own memory.
fn there_and_back<'bound>(
    dma: Dma<'bound>,
    edu: &Edu<'bound>,
    bytes: &[u8],
) -> Result<Mapping<'bound, KVec<u8>, FromDevice>> {
    let mut source = KVec::new();
    source.extend_from_slice(bytes, GFP_KERNEL)?;
    let source = Mapping::<_, ToDevice>::new(dma, source)?;
    edu.fetch(source.dma_address(), 0, bytes.len())?;
    let target = Mapping::<_, FromDevice>::new(dma, zeroes(bytes.len())?)?;
    edu.store(0, target.dma_address(), bytes.len())?;
    Ok(target)
}

/// Whether the CPU finds these bytes.
fn same(target: &mut Mapping<'_, KVec<u8>, FromDevice>, expected: &[u8]) -> Result<bool> {
    let mut found = zeroes(expected.len())?;
    target.for_cpu().copy_to_slice(&mut found);
    Ok(found[..] == *expected)
}

pub(crate) fn lengths(_dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let dma = data.dma()?;
    if nothing(dma) {
        return Ok(());
    }
    for len in [1, 2, 63, 64, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 65536] {
        let mapping = Mapping::<_, ToDevice>::new(dma, pattern(len, 3)?)?;
        check!(mapping.size() == len && mapping.len() == len);
        check!(mapping.dma_address_at(len - 1)? == mapping.dma_address() + len as u64 - 1);
        check!(mapping.dma_address_at(len) == Err(EINVAL));
        check!(mapping.dma_address_of(len) == Err(EINVAL));
        check!(mapping.dma_address_of(usize::MAX) == Err(EINVAL));
        if len == PAGE {
            pr_info!("needs sync: {}\n", mapping.need_sync());
        }
        check!(data.edu()?.unmap(mapping)?[..] == pattern(len, 3)?[..]);
    }
    let empty = KVec::<u8>::with_capacity(PAGE, GFP_KERNEL)?;
    let failed = Mapping::<_, FromDevice>::new(dma, empty).err();
    let failed = failed.ok_or(ENOTTY)?;
    check!(failed.error() == EINVAL);
    let said = CString::try_from_fmt(fmt!("{failed:?}"))?;
    let expected = CString::try_from_fmt(fmt!("MapError({EINVAL:?})"))?;
    check!(said.as_bytes() == expected.as_bytes());
    check!(failed.into_buffer().capacity() >= PAGE);
    // What the device writes must not share a line of a cache with what others use.
    for len in [1, 16, 63] {
        let failed = Mapping::<_, FromDevice>::new(dma, pattern(len, 5)?).err();
        let failed = failed.ok_or(ENOTTY)?;
        check!(failed.error() == EINVAL);
        check!(failed.into_buffer()[..] == pattern(len, 5)?[..]);
    }
    Ok(())
}

pub(crate) fn largest(_dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let dma = data.dma()?;
    if nothing(dma) {
        return Ok(());
    }
    let len = dma.max_mapping_size().min(1 << 20);
    check!(Mapping::<_, Bidirectional>::new(dma, zeroes(len)?)?.size() == len);
    Ok(())
}

pub(crate) fn ranges(_dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let dma = data.dma()?;
    if nothing(dma) {
        return Ok(());
    }
    let words = KVec::from_elem(0u32, 64, GFP_KERNEL)?;
    let mut words = Mapping::<_, Bidirectional>::new(dma, words)?;
    for (start, end) in [
        (0, 0),
        (64, 64),
        (2, 1),
        (0, 257),
        (256, 257),
        (257, 258),
        (usize::MAX, usize::MAX),
        (1, usize::MAX),
    ] {
        check!(words.for_cpu_range(start..end).err() == Some(EINVAL));
        check!(words.for_cpu_bytes(start..end).err() == Some(EINVAL));
    }
    check!(words.for_cpu_range(0..65).err() == Some(EINVAL));
    check!(words.for_cpu_range(64..65).err() == Some(EINVAL));
    check!(words.for_cpu_range(63..64)?.len() == 1);
    check!(words.for_cpu_range(0..64)?.len() == 64);
    check!(words.for_cpu_bytes(255..256)?.len() == 1);
    Ok(())
}

/// What the CPU wrote is what the device gets; what it stores is what the CPU sees.
pub(crate) fn moves(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    let expected = pattern(PAGE, 7)?;
    let mut target = there_and_back(dma, edu, &expected)?;
    check!(same(&mut target, &expected)?);
    // Without a guard.
    check!(edu.unmap(target)?[..] == expected[..]);

    // No more than was stored.
    let target = KVec::from_elem(0xee, PAGE, GFP_KERNEL)?;
    let target = Mapping::<_, FromDevice>::new(dma, target)?;
    edu.store(0, target.dma_address_at(100)?, 1000)?;
    let target = edu.unmap(target)?;
    check!(target[100..1100] == expected[..1000]);
    check!(target[..100].iter().all(|byte| *byte == 0xee));
    check!(target[1100..].iter().all(|byte| *byte == 0xee));
    Ok(())
}

/// Mapped once, and used again and again.
pub(crate) fn again(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    let mut source = Mapping::<_, ToDevice>::new(dma, zeroes(PAGE)?)?;
    let mut target = Mapping::<_, FromDevice>::new(dma, zeroes(PAGE)?)?;
    for seed in 1..4 {
        let expected = pattern(PAGE, seed)?;
        source.for_cpu().copy_from_slice(&expected);
        edu.fetch(source.dma_address(), 0, PAGE)?;
        edu.store(0, target.dma_address(), PAGE)?;
        check!(same(&mut target, &expected)?);
    }
    Ok(())
}

/// A part of it, while the rest belongs to the device.
pub(crate) fn part(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    let mut ring = Mapping::<_, Bidirectional>::new(dma, zeroes(4096)?)?;
    for slot in 0..4 {
        let bytes = pattern(1024, slot)?;
        ring.for_cpu_range(slot * 1024..(slot + 1) * 1024)?
            .copy_from_slice(&bytes);
    }
    edu.fetch(ring.dma_address_of(2 * 1024)?, 0, 1024)?;
    ring.for_cpu_bytes(1024..2048)?
        .copy_from_slice(&[0x55; 1024]);
    edu.store(0, ring.dma_address_of(1024)?, 512)?;
    {
        let slot = ring.for_cpu_range(1024..2048)?;
        let mut found = [0; 512];
        io_project!(&slot, [try: ..512]).copy_to_slice(&mut found);
        check!(found[..] == pattern(1024, 2)?[..512]);
        io_project!(&slot, [try: 512..]).copy_to_slice(&mut found);
        check!(found.iter().all(|byte| *byte == 0x55));
        let past = || -> Result<u8> { Ok(io_read!(&slot, [try: 1024])) };
        check!(past() == Err(ERANGE));
    }
    let ring = edu.unmap(ring)?;
    for slot in [0, 2, 3] {
        check!(ring[slot * 1024..(slot + 1) * 1024] == pattern(1024, slot)?[..]);
    }
    Ok(())
}

pub(crate) fn values(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    let value = KBox::new([0u32; 16], GFP_KERNEL)?;
    let mut value = Mapping::<_, Bidirectional>::new(dma, value)?;
    io_write!(&value.for_cpu(), [build: 5], 0x1234_5678);
    edu.fetch(value.dma_address(), 0, 64)?;
    io_write!(&value.for_cpu(), [build: 5], 7);
    edu.store(0, value.dma_address() + 16, 48)?;
    check!(value.for_cpu().copy_read()[9] == 0x1234_5678);
    let value = edu.unmap(value)?;
    check!(value[9] == 0x1234_5678 && value[5] == 0);

    // What only the device reads can be borrowed.
    let mut value = Mapping::<_, ToDevice>::new(dma, value)?;
    value.for_cpu()[5] = 0x8765_4321;
    check!(value.for_cpu()[5] == 0x8765_4321);
    check!(edu.unmap(value)?[5] == 0x8765_4321);

    let mut page = PageBox::zeroed(GFP_KERNEL)?;
    page.copy_from_slice(&pattern(PAGE, 8)?);
    let mut page = Mapping::<_, Bidirectional>::new(dma, page)?;
    check!(page.size() == PAGE);
    edu.fetch(page.dma_address(), 0, 4096)?;
    page.for_cpu_bytes(0..PAGE)?.copy_from_slice(&zeroes(PAGE)?);
    edu.store(0, page.dma_address(), 4096)?;
    let mut found = zeroes(PAGE)?;
    page.for_cpu_bytes(0..PAGE)?.copy_to_slice(&mut found);
    check!(found[..4096] == pattern(PAGE, 8)?[..4096]);
    let page = PageBox::try_from(Page::from(edu.unmap(page)?))?;
    check!(page.iter().all(|byte| *byte == 0));
    check!(PageBox::zeroed(!GFP_KERNEL).err() == Some(EINVAL));
    Ok(())
}

/// A guard that is leaked leaves the memory out of date, and the mapping as it was.
pub(crate) fn leaked_guard(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    let expected = pattern(PAGE, 9)?;
    let mut target = there_and_back(dma, edu, &expected)?;
    forget(target.for_cpu());
    forget(target.for_cpu_range(0..1)?);
    edu.store(0, target.dma_address(), PAGE)?;
    check!(same(&mut target, &expected)?);
    Ok(())
}

/// The buffer is freed after the mapping has ended: what was written to it by then, the allocator's
/// own checks would find when it is allocated again.
pub(crate) fn dropped(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    edu.unmap(there_and_back(dma, edu, &pattern(PAGE, 10)?)?)?;
    let mut more = KVec::new();
    for _ in 0..256 {
        more.push(zeroes(PAGE)?, GFP_KERNEL)?;
    }
    Ok(())
}

/// A device that goes on after the mapping has ended does not reach the buffer, where there is
/// something to hold it off; `cases.sh` knows. The buffer is ours all the time.
pub(crate) fn in_flight(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    edu.unmap(there_and_back(dma, edu, &[0xff; 64])?)?;
    let target = Mapping::<_, FromDevice>::new(dma, zeroes(64)?)?;
    edu.begin_store(0, target.dma_address(), 64)?;
    // SAFETY: None. This is what comes of a claim that does not hold; the buffer is kept, so that
    // nobody else has it.
    let target = unsafe { target.unmap() };
    edu.wait()?;
    let reached = target.iter().any(|byte| *byte != 0);
    pr_info!("the device reached the buffer: {reached}\n");
    Ok(())
}

/// When there are no more bounce buffers, that is an error, and the buffer is still there.
pub(crate) fn exhausted(_dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = (data.dma()?, data.edu()?);
    if nothing(dma) || dma.max_mapping_size() == usize::MAX {
        return Ok(());
    }
    let mut mappings = KVec::new();
    let failed = loop {
        let buffer = KVec::from_elem(mappings.len() as u8, 128 << 10, GFP_KERNEL)?;
        match Mapping::<_, ToDevice>::new_with_attrs(dma, buffer, attrs::DMA_ATTR_NO_WARN) {
            Ok(mapping) => mappings.push(mapping, GFP_KERNEL)?,
            Err(failed) => break failed,
        }
        check!(mappings.len() < 4096);
    };
    check!(failed.error() == ENOMEM);
    let buffer = failed.into_buffer();
    check!(buffer.iter().all(|byte| *byte == mappings.len() as u8));
    for mapping in mappings {
        edu.unmap(mapping)?;
    }
    check!(Mapping::<_, ToDevice>::new(dma, buffer)?.size() == 128 << 10);
    Ok(())
}

pub(crate) fn noncoherent(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    let mut value = NonCoherent::<[u32; 4], Bidirectional>::zeroed(dma, GFP_KERNEL)?;
    check!(value.size() == 16 && value.for_cpu().copy_read() == [0; 4]);
    value.for_cpu().copy_write([1, 2, 3, 4]);
    edu.fetch(value.dma_address(), 0, 16)?;
    value.for_cpu().copy_write([9; 4]);
    edu.store(0, value.dma_address_at(4)?, 8)?;
    check!(value.for_cpu().copy_read() == [9, 1, 2, 9]);

    type Slice<'bound> = NonCoherent<'bound, [u8], FromDevice>;
    for flags in [GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT] {
        for len in [1, PAGE - 1, PAGE, PAGE + 1, 1 << 20] {
            let mut slice = Slice::zeroed_slice(dma, len, flags)?;
            check!(slice.size() == len);
            let mut found = KVec::from_elem(0xff, len, GFP_KERNEL)?;
            slice.for_cpu().copy_to_slice(&mut found);
            check!(found.iter().all(|byte| *byte == 0));
            check!(slice.dma_address_at(len) == Err(EINVAL));
        }
    }
    let highmem = GFP_KERNEL | flags::__GFP_HIGHMEM;
    check!(Slice::zeroed_slice(dma, 0, GFP_KERNEL).err() == Some(EINVAL));
    check!(Slice::zeroed_slice(dma, usize::MAX, GFP_KERNEL).err() == Some(ENOMEM));
    let words = NonCoherent::<[u64], FromDevice>::zeroed_slice(dma, usize::MAX, GFP_KERNEL);
    check!(words.err() == Some(ENOMEM));
    let (before, slice) = (dma.parked(), Slice::zeroed_slice(dma, PAGE, GFP_KERNEL)?);
    // SAFETY: The device was not told of it.
    unsafe { slice.free() };
    check!(dma.parked() == before);
    for flags in [highmem, !GFP_KERNEL] {
        check!(Slice::zeroed_slice(dma, 1, flags).err() == Some(EINVAL));
    }
    Ok(())
}
