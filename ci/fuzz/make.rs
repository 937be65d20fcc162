// SPDX-License-Identifier: GPL-2.0

//! Allocating and mapping, with whatever arguments.

use crate::{
    memory::{Memory, Record},
    random::Random,
    Shared,
};
use kernel::{
    alloc::{flags, Flags},
    dma::{
        attrs, Attrs, Coherent, CoherentBox, CoherentHandle, DeviceWrites, Dma, DmaMask,
        FromDevice, Mappable, Mapping, NonCoherent, PageBox, Pool, PoolBox, PoolCoherent, ToDevice,
    },
    io::Io,
    page::PAGE_SIZE as PAGE,
    prelude::*,
    scatterlist::{Owned, Pages, SGMemory, SGTable},
};

/// Memory, and what is in it.
pub(crate) struct Slot<'bound> {
    pub(crate) memory: Memory<'bound>,
    pub(crate) content: KVec<u8>,
    /// The part of it that is known: of all but handles it is all.
    pub(crate) known: (usize, usize),
    /// Of which pool it is, if of one.
    pub(crate) pool: usize,
}

impl Slot<'_> {
    pub(crate) fn len(&self) -> usize {
        self.content.len()
    }
}

/// What is to be in memory, if all of it is known.
pub(crate) fn expected(content: &[u8], known: (usize, usize)) -> Option<&[u8]> {
    (known == (0, content.len())).then_some(content)
}

/// As many bytes by chance.
pub(crate) fn bytes(random: &mut Random, len: usize, flags: Flags) -> Result<KVec<u8>> {
    let mut bytes = zeroes(len, flags)?;
    random.fill(&mut bytes);
    Ok(bytes)
}

pub(crate) fn zeroes(len: usize, flags: Flags) -> Result<KVec<u8>> {
    let mut bytes = KVec::with_capacity(len, flags | flags::__GFP_NOWARN)?;
    for _ in 0..len {
        bytes.push(0, flags)?;
    }
    Ok(bytes)
}

fn copy(from: &[u8], flags: Flags) -> Result<KVec<u8>> {
    let mut copy = KVec::with_capacity(from.len(), flags | flags::__GFP_NOWARN)?;
    copy.extend_from_slice(from, flags)?;
    Ok(copy)
}

fn attributes(random: &mut Random) -> Attrs {
    random.pick(&[
        Attrs::default(),
        attrs::DMA_ATTR_NO_WARN,
        attrs::DMA_ATTR_WEAK_ORDERING,
        attrs::DMA_ATTR_NO_WARN | attrs::DMA_ATTR_WEAK_ORDERING,
    ])
}

/// Whether a vector can be mapped for a device that writes.
fn fills_line(buffer: &KVec<u8>) -> bool {
    let least = if cfg!(CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC) {
        193
    } else {
        64
    };
    buffer.capacity() >= least
}

/// Flags for a context, and whether it may be that there is no memory for them.
fn gfp(random: &mut Random, len: usize, atomic: bool) -> (Flags, bool) {
    let flags = if atomic {
        random.pick(&[GFP_ATOMIC, GFP_NOWAIT])
    } else {
        random.pick(&[GFP_KERNEL, GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT])
    };
    (flags, flags != GFP_KERNEL && len > 4 * PAGE)
}

impl<'bound> Slot<'bound> {
    /// One of any kind but those of pools; none if that is nobody's fault.
    pub(crate) fn make(
        shared: &Shared<'bound>,
        random: &mut Random,
        atomic: bool,
    ) -> Result<Option<Self>> {
        let dma = shared.dma;
        let mut len = random.size();
        if atomic {
            len = len.min(2 * PAGE);
        }
        let kind = random.below(if shared.maps { 23 } else { 8 });
        match kind {
            1 => len = (len.min(2 * PAGE) + 3) & !3,
            2 => len = 24,
            11..=13 => len = 192,
            14..=16 => len = PAGE,
            17..=19 => len = len.next_multiple_of(PAGE),
            // A vector that is not used is dropped at once, which sleeps.
            20..=22 if atomic => return Ok(None),
            20..=22 => len = (len + 1) & !1,
            _ => (),
        }
        let (flags, poor) = gfp(random, len, atomic);
        let content = if kind < 8 {
            zeroes(len, flags)
        } else {
            bytes(random, len, flags)
        };
        // C can't copy what is to be contiguous across a boundary of the device's.
        let copies = dma.max_mapping_size() != usize::MAX;
        let crosses =
            copies && (8..=16).contains(&kind) && dma.seg_boundary_mask() < 2 * len + PAGE;
        let may = |error| (poor || crosses || shared.plan.faults) && error == ENOMEM;
        let content = match content {
            Ok(content) => content,
            Err(error) if may(error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let memory = match Self::memory(dma, random, kind, &content, flags) {
            Ok(memory) => memory,
            Err(error) if may(error) => return Ok(None),
            Err(error) => {
                pr_err!("FAILED: kind {kind} of {len} bytes: {error:?}\n");
                return Err(EIO);
            }
        };
        let Some(memory) = memory else {
            return Ok(None);
        };
        let known = if kind == 4 { (0, 0) } else { (0, len) };
        let mut slot = Self {
            memory,
            content,
            known,
            pool: 0,
        };
        slot.check(shared, random)?;
        Ok(Some(slot))
    }

    /// What holds for each as soon as it is there.
    pub(crate) fn check(&mut self, shared: &Shared<'bound>, random: &mut Random) -> Result {
        let (dma, len) = (shared.dma, self.len());
        check!(self.memory.size() == len);
        let mut at = 0;
        while (self.memory.reads() || self.memory.writes()) && at < len {
            let (address, piece) = self.memory.address(at)?;
            let last = address + piece as u64 - 1;
            check!(piece > 0 && last <= dma.mask());
            if !self.memory.in_one_piece() {
                check!(piece <= dma.max_seg_size() as usize);
                check!((address ^ last) & !(dma.seg_boundary_mask() as u64) == 0);
            } else if matches!(
                self.memory,
                Memory::Bytes(_) | Memory::Words(_) | Memory::Value(_) | Memory::Handle(_)
            ) {
                check!(address % PAGE as u64 == 0);
            }
            at += piece;
        }
        if self.memory.looks() {
            let whole = random.once_in(2);
            check!(self.memory.has(0, &self.content, whole)?);
        }
        Ok(())
    }

    fn memory(
        dma: Dma<'bound>,
        random: &mut Random,
        kind: usize,
        content: &KVec<u8>,
        flags: Flags,
    ) -> Result<Option<Memory<'bound>>> {
        let len = content.len();
        let attrs = attributes(random);
        let more = flags | random.pick(&[flags, flags::__GFP_ZERO, flags::__GFP_NOWARN]);
        Ok(Some(match kind {
            0 => Memory::Bytes(Coherent::zeroed_slice_with_attrs(dma, len, more, attrs)?),
            1 => Memory::Words(Coherent::zeroed_slice(dma, len / 4, more)?),
            2 => Memory::Value(Coherent::<Record>::zeroed_with_attrs(dma, more, attrs)?),
            3 if random.once_in(2) => Memory::Own(CoherentBox::from_slice(dma, content, more)?),
            3 => Memory::Own(CoherentBox::zeroed_slice_with_attrs(dma, len, more, attrs)?),
            4 => Memory::Handle(CoherentHandle::alloc_with_attrs(dma, len, flags, attrs)?),
            5 => Memory::AllocatedTo(NonCoherent::zeroed_slice(dma, len, more)?),
            6 => Memory::AllocatedFrom(NonCoherent::zeroed_slice(dma, len, more)?),
            7 => Memory::AllocatedBoth(NonCoherent::zeroed_slice(dma, len, more)?),
            8 => Memory::VectorTo(Mapping::new_with_attrs(dma, copy(content, flags)?, attrs)?),
            9 => match vector(dma, content, flags)? {
                Some(mapping) => Memory::VectorFrom(mapping),
                None => return Ok(None),
            },
            10 => match vector(dma, content, flags)? {
                Some(mapping) => Memory::VectorBoth(mapping),
                None => return Ok(None),
            },
            11 => Memory::BoxTo(Mapping::new(dma, boxed(content, flags)?)?),
            12 => Memory::BoxFrom(Mapping::new(dma, boxed(content, flags)?)?),
            13 => Memory::BoxBoth(Mapping::new(dma, boxed(content, flags)?)?),
            14 => Memory::PageTo(Mapping::new(dma, page(content, flags)?)?),
            15 => Memory::PageFrom(Mapping::new(dma, page(content, flags)?)?),
            16 => Memory::PageBoth(Mapping::new(dma, page(content, flags)?)?),
            17 => Memory::PagesTo(SGTable::new(dma, pages(content, flags)?, flags)?),
            18 => Memory::PagesFrom(SGTable::new(dma, pages(content, flags)?, flags)?),
            19 => Memory::PagesBoth(SGTable::new(dma, pages(content, flags)?, flags)?),
            20 => Memory::VirtualTo(SGTable::new(dma, virtual_vector(content)?, flags)?),
            21 => Memory::VirtualFrom(SGTable::new(dma, virtual_vector(content)?, flags)?),
            _ => Memory::VirtualBoth(SGTable::new(dma, virtual_vector(content)?, flags)?),
        }))
    }
}

/// A vector that the device may write to; none if it is too short for that, and was refused.
fn vector<'bound, D: DeviceWrites>(
    dma: Dma<'bound>,
    content: &[u8],
    flags: Flags,
) -> Result<Option<Mapping<'bound, KVec<u8>, D>>> {
    let buffer = copy(content, flags)?;
    if fills_line(&buffer) {
        return Ok(Some(Mapping::new(dma, buffer)?));
    }
    let failed = Mapping::<_, D>::new(dma, buffer).err().ok_or(ENOTTY)?;
    check!(failed.error() == EINVAL && failed.into_buffer()[..] == *content);
    Ok(None)
}

fn boxed(content: &[u8], flags: Flags) -> Result<KBox<[u8; 192]>> {
    let mut buffer = KBox::new([0; 192], flags)?;
    buffer.copy_from_slice(content);
    Ok(buffer)
}

fn page(content: &[u8], flags: Flags) -> Result<PageBox> {
    let mut page = PageBox::zeroed(flags)?;
    check!(page.iter().all(|byte| *byte == 0));
    page.copy_from_slice(content);
    Ok(page)
}

fn pages(content: &[u8], flags: Flags) -> Result<Pages> {
    let mut pages = Pages::zeroed(content.len() / PAGE, flags)?;
    pages.copy_from_slice(0, content)?;
    Ok(pages)
}

fn virtual_vector(content: &[u8]) -> Result<VVec<u16>> {
    let mut vector = VVec::with_capacity(content.len() / 2, GFP_KERNEL | flags::__GFP_NOWARN)?;
    for two in content.chunks_exact(2) {
        vector.push(u16::from_ne_bytes([two[0], two[1]]), GFP_KERNEL)?;
    }
    Ok(vector)
}

/// Has a pool made, with arguments that may make no sense; none then.
pub(crate) fn pool<'bound>(
    shared: &Shared<'bound>,
    random: &mut Random,
) -> Result<Option<(Pool<'bound, [u64]>, PoolShape)>> {
    let len = random.pick(&[
        0,
        1,
        2,
        3,
        8,
        31,
        32,
        64,
        511,
        512,
        513,
        usize::MAX,
        1 << 61,
    ]);
    let align = random.pick(&[0, 1, 3, 8, 16, 64, 4096, 8192, usize::MAX]);
    let boundary = random.pick(&[0, 0, 0, 1, 16, 100, 256, 512, 4096, 65536, usize::MAX]);
    let pool = Pool::<[u64]>::new_slice(shared.dma, c"fuzz", len, align, boundary);
    let rounded = len
        .checked_mul(8)
        .filter(|size| *size != 0 && *size <= PAGE)
        .filter(|_| align.is_power_of_two() && align <= PAGE)
        .map(|size| size.max(16).next_multiple_of(align.max(8)))
        .filter(|size| *size <= PAGE)
        .filter(|size| boundary == 0 || boundary.is_power_of_two() && boundary >= *size);
    match (pool, rounded) {
        (Ok(pool), Some(_)) => Ok(Some((
            pool,
            PoolShape {
                len,
                align,
                boundary,
            },
        ))),
        (Err(error), Some(_)) if error == ENOMEM && shared.plan.faults => Ok(None),
        (Err(error), None) if error == EINVAL => Ok(None),
        (result, _) => {
            let result = result.map(|_| ());
            pr_err!("FAILED: pool of {len}, {align}, {boundary}: {result:?}\n");
            Err(EIO)
        }
    }
}

#[derive(Clone, Copy, Default)]
pub(crate) struct PoolShape {
    pub(crate) len: usize,
    align: usize,
    boundary: usize,
}

impl PoolShape {
    /// Whether the addresses of an object are as was asked for.
    pub(crate) fn fits(&self, address: u64) -> bool {
        let last = address + self.len as u64 * 8 - 1;
        let crosses =
            self.boundary != 0 && address / self.boundary as u64 != last / self.boundary as u64;
        address % self.align as u64 == 0 && !crosses
    }
}

/// Asks for what is refused wherever it is.
pub(crate) fn refused(shared: &Shared<'_>, random: &mut Random, atomic: bool) -> Result {
    let (dma, maps) = (shared.dma, shared.maps);
    const GIB: usize = 1 << 30;
    let fine = if atomic { GFP_ATOMIC } else { GFP_KERNEL };
    let bad = random.pick(&[!GFP_KERNEL, !GFP_ATOMIC, !(GFP_KERNEL | flags::__GFP_ZERO)]);
    // Where one may not sleep, the flags make no sense.
    let flags = match random.below(3) {
        0 => bad,
        _ if atomic => GFP_KERNEL,
        _ => bad,
    };
    let len = random.size();
    match random.below(14) {
        0 => check!(Coherent::<[u8]>::zeroed_slice(dma, 0, fine).err() == Some(EINVAL)),
        1 => check!(Coherent::<[u8]>::zeroed_slice(dma, len, flags).err() == Some(EINVAL)),
        2 => check!(CoherentBox::<[u64]>::zeroed_slice(dma, len, flags).err() == Some(EINVAL)),
        3 => {
            let many = random.pick(&[GIB / 8 + 1, GIB, usize::MAX / 8, usize::MAX / 8 + 1]);
            check!(CoherentBox::<[u64]>::zeroed_slice(dma, many, fine).err() == Some(ENOMEM));
            let many = random.pick(&[GIB + 1, isize::MAX as usize, usize::MAX]);
            check!(CoherentHandle::alloc(dma, many, fine).err() == Some(ENOMEM));
            type Words<'bound> = NonCoherent<'bound, [u32], FromDevice>;
            check!(Words::zeroed_slice(dma, many, fine).err() == Some(ENOMEM));
        }
        4 => {
            let zeroed = fine | flags::__GFP_ZERO;
            check!(CoherentHandle::alloc(dma, len, zeroed).err() == Some(EINVAL));
            check!(CoherentHandle::alloc(dma, 0, fine).err() == Some(EINVAL));
        }
        5 => {
            let high = fine | flags::__GFP_HIGHMEM;
            for flags in [flags, high] {
                let memory = NonCoherent::<[u8], ToDevice>::zeroed_slice(dma, len, flags);
                check!(memory.err() == Some(EINVAL));
            }
        }
        6 => check!(PageBox::zeroed(flags).err() == Some(EINVAL)),
        7 => check!(Pages::zeroed(random.below(3), flags).err() == Some(EINVAL)),
        8 => {
            let count = random.pick(&[GIB / PAGE + 1, usize::MAX / PAGE, usize::MAX]);
            check!(Pages::zeroed(count, fine).err() == Some(EINVAL));
        }
        9 if atomic => check!(Pool::<u64>::new(dma, c"refused", 8, 0).err() == Some(EINVAL)),
        9 => {
            for bits in [0, 65, u32::MAX] {
                check!(DmaMask::try_new(bits).err() == Some(EINVAL));
            }
        }
        10 if maps => empty::<_, ToDevice>(dma, KVec::<u64>::new())?,
        11 if maps => empty::<_, FromDevice>(dma, KVec::<u64>::with_capacity(PAGE / 8, fine)?)?,
        12 if maps && !atomic => {
            none::<_>(dma, VVec::<u16>::new(), fine)?;
            none::<_>(dma, Pages::zeroed(0, fine)?, fine)?;
        }
        13 => {
            let bar = &shared.regs.0;
            // Behind the end, and across it; and not aligned.
            let offset = random.pick(&[1 << 20, (1 << 20) - 3, 0x99, usize::MAX, usize::MAX - 3]);
            check!(bar.try_read32(offset) == Err(EINVAL));
            check!(bar.try_write32(0, offset) == Err(EINVAL));
        }
        _ => (),
    }
    Ok(())
}

fn empty<B: Mappable, D: kernel::dma::Direction>(dma: Dma<'_>, buffer: B) -> Result {
    check!(
        Mapping::<_, D>::new(dma, buffer)
            .err()
            .ok_or(ENOTTY)?
            .error()
            == EINVAL
    );
    Ok(())
}

fn none<M: SGMemory>(dma: Dma<'_>, memory: M, flags: Flags) -> Result {
    let failed = SGTable::<Owned<'_, M, FromDevice>>::new(dma, memory, flags).err();
    check!(failed.ok_or(ENOTTY)?.error() == EINVAL);
    Ok(())
}

/// An object of a pool.
pub(crate) fn object<'bound>(
    pool: &crate::memory::Lists<'bound>,
    random: &mut Random,
    atomic: bool,
) -> Result<Memory<'bound>> {
    let (flags, _) = gfp(random, 0, atomic);
    Ok(if random.once_in(2) {
        Memory::OwnObject(PoolBox::zeroed(pool.clone(), flags)?)
    } else {
        Memory::Object(PoolCoherent::zeroed(pool.clone(), flags)?)
    })
}
