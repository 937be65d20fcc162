// SPDX-License-Identifier: GPL-2.0

//! Memory of types that the kernel's crate knows nothing of, as a subsystem would bring them, and
//! tables that somebody else has mapped.

use crate::{coherent::pattern, streaming::nothing, Data};
use core::{
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering},
};
use kernel::{
    alloc::Flags,
    device::Start,
    dma::{Backing, FromDevice, Mappable, Mapping, ToDevice},
    io::Io,
    page::{Page, PAGE_SIZE as PAGE},
    pci,
    prelude::*,
    scatterlist::{Owned, SGList, SGMemory, SGTable},
};

/// How many of both there are.
static THERE: AtomicUsize = AtomicUsize::new(0);

struct Count;

impl Count {
    fn new() -> Self {
        THERE.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        THERE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A block of a disk, and where it goes.
struct Block {
    number: u64,
    data: KBox<[u8; 512]>,
    /// What it says was allocated; less than that is refused.
    allocated: usize,
    _count: Count,
}

// SAFETY: This leaves `release` as it is.
unsafe impl Backing for Block {
    type Memory = [u8; 512];
}

// SAFETY: A `Block` owns the memory by its `KBox`, and nothing else refers to it. It is of this
// size, was allocated by `kmalloc()`, and is initialised.
unsafe impl Mappable for Block {
    const SIZE: Option<usize> = Some(512);

    fn memory(&mut self) -> NonNull<[u8; 512]> {
        NonNull::from(&mut *self.data)
    }

    fn allocated(&self) -> usize {
        self.allocated
    }
}

/// A part of some pages.
struct Extent {
    pages: KVec<Page>,
    start: usize,
    size: usize,
    _count: Count,
}

impl Extent {
    fn new(start: usize, size: usize) -> Result<Self> {
        let mut pages = KVec::new();
        for _ in 0..(start + size).div_ceil(PAGE) {
            pages.push(
                Page::alloc_page(GFP_KERNEL | kernel::alloc::flags::__GFP_ZERO)?,
                GFP_KERNEL,
            )?;
        }
        Ok(Self {
            pages,
            start,
            size,
            _count: Count::new(),
        })
    }

    /// A byte of it.
    fn byte(&self, at: usize) -> Result<u8> {
        let (at, mut byte) = (self.start + at, 0);
        // SAFETY: The byte is on the stack. The pages are not mapped any more, so nobody writes.
        unsafe { self.pages[at / PAGE].read_raw(&mut byte, at % PAGE, 1)? };
        Ok(byte)
    }
}

// SAFETY: The pages are zeroed, owned, and nowhere else. Nothing here has a reference to what is in
// them. `start` is a multiple of the lines of a cache.
unsafe impl SGMemory for Extent {
    fn size(&self) -> usize {
        self.size
    }

    unsafe fn list(&self, max_segment: usize, flags: Flags) -> Result<SGList> {
        let mut pages = KVec::with_capacity(self.pages.len(), flags)?;
        for page in &self.pages {
            pages.push(page.as_ptr(), flags)?;
        }
        // SAFETY: The pages are valid for as long as `self`, hence as the list.
        unsafe { SGList::new(&pages, self.start, self.size, max_segment, flags) }
    }
}

pub(crate) fn buffer(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    let block = |byte| -> Result<Block> {
        Ok(Block {
            number: 77,
            data: KBox::new([byte; 512], GFP_KERNEL)?,
            allocated: 512,
            _count: Count::new(),
        })
    };
    let before = THERE.load(Ordering::Relaxed);
    let mut wrong = block(0)?;
    wrong.allocated = 511;
    let failed = Mapping::<_, FromDevice>::new(dma, wrong).err();
    check!(failed.ok_or(ENOTTY)?.error() == EINVAL);
    let source = Mapping::<_, ToDevice>::new(dma, block(0x5a)?)?;
    edu.fetch(source.dma_address(), 0, 512)?;
    check!(edu.unmap(source)?.number == 77);
    let mut target = Mapping::<_, FromDevice>::new(dma, block(0)?)?;
    check!(target.size() == 512);
    edu.store(0, target.dma_address(), 256)?;
    check!(target.for_cpu().copy_read()[255] == 0x5a);
    let target = edu.unmap(target)?;
    check!(target.data[..256] == [0x5a; 256] && target.data[256..] == [0; 256]);
    drop(target);
    check!(THERE.load(Ordering::Relaxed) == before);
    // What is dropped while it is mapped is kept as a whole; `bind` looks whether it goes then.
    drop(Mapping::<_, FromDevice>::new(dma, block(0)?)?);
    check!(THERE.load(Ordering::Relaxed) == before + 1);
    Ok(())
}

pub(crate) fn table(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, edu) = data.ready(dev)?;
    if nothing(dma) {
        return Ok(());
    }
    let before = THERE.load(Ordering::Relaxed);
    let bytes = pattern(4096, 3)?;
    let source = Mapping::<_, ToDevice>::new(dma, pattern(4096, 3)?)?;
    edu.fetch(source.dma_address(), 0, 4096)?;
    edu.unmap(source)?;
    let (start, size) = (PAGE - 1024, PAGE + 2048);
    let target = Extent::new(start, size)?;
    let target = SGTable::<Owned<'_, _, FromDevice>>::new(dma, target, GFP_KERNEL)?;
    check!(target.size() == size);
    // As somebody sees it to whom it is lent.
    let lent: &SGTable = &target;
    let mut at = 0;
    for entry in lent.segments(dma) {
        let len = (entry.dma_len() as usize).min(4096 - at);
        if len != 0 {
            edu.store(at as u32, entry.dma_address(), len)?;
        }
        at += len;
    }
    check!(at == 4096);
    check!(
        lent.iter()
            .map(|entry| entry.dma_len() as usize)
            .sum::<usize>()
            == size
    );
    let target = edu.unmap_table(target)?;
    for (at, byte) in bytes.iter().enumerate() {
        check!(target.byte(at)? == *byte);
    }
    for at in 4096..size {
        check!(target.byte(at)? == 0);
    }
    drop(target);
    check!(THERE.load(Ordering::Relaxed) == before);
    let target = Extent::new(start, size)?;
    drop(SGTable::<Owned<'_, _, FromDevice>>::new(
        dma, target, GFP_KERNEL,
    )?);
    check!(THERE.load(Ordering::Relaxed) == before + 1);
    // A list of its own that is wrong.
    for (start, size) in [(0, 2 * PAGE + 1), (PAGE, PAGE + 1), (0, 0), (2 * PAGE, 1)] {
        let mut wrong = Extent::new(0, 2 * PAGE)?;
        (wrong.start, wrong.size) = (start, size);
        let failed = SGTable::<Owned<'_, _, ToDevice>>::new(dma, wrong, GFP_KERNEL).err();
        check!(failed.ok_or(ENOTTY)?.error() == EINVAL);
    }
    Ok(())
}

/// What the two before this one dropped is gone.
pub(crate) fn gone(_dev: &pci::Device<Start<'_>>, _data: &Data<'_>) -> Result {
    check!(THERE.load(Ordering::Relaxed) == 0);
    Ok(())
}
