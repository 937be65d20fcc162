// SPDX-License-Identifier: GPL-2.0

//! Tests of scatter-gather tables and pools, on QEMU's `edu` device, which moves the data.
//!
//! The first device that is bound gets narrow limits for its segments, the others those that a PCI
//! device has by default. What was found goes to the kernel log, a line for each test; if one
//! fails, the device isn't bound.
//!
//! The `unsafe` block is a claim, as those in `edu.rs` are. All of them rest on the run bit, bit 0
//! of the register at 0x98: it is set until a transfer is done, and `edu` begins none by itself.

use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{
    device::{Core, Start},
    dma::{
        Bidirectional, CoherentView, Direction, Dma, DmaMask, FromDevice, Parked, Pool, PoolBox,
        PoolCoherent, PoolRef, ToDevice,
    },
    dma_struct,
    init::pin_init_scope,
    io::{io_project, io_read, io_write, Io, IoBase, IoCopyable},
    page::PAGE_SIZE,
    pci,
    prelude::*,
    scatterlist::{Owned, PageBytes, Pages, SGEntry, SGMemory, SGTable},
    sync::Arc,
    transmute::FromBytes,
};

// That of ci/cases.
#[allow(dead_code)]
mod edu;

/// How long the device may take for a transfer, in milliseconds.
const TIMEOUT: i64 = 5000;

const DEVICE_BUFFER_SIZE: u32 = 4096;

const NARROW_MAX: u32 = 1536;
const NARROW_BOUNDARY: usize = 2048;

/// How many get memory while the device is late.
const OTHERS: usize = 32;

static DEVICES: AtomicUsize = AtomicUsize::new(0);

struct Test;

struct Edu<'bound> {
    edu: edu::Edu<'bound>,
    dma: Dma<'bound>,
    narrow: bool,
    /// Objects that are kept beside their pool, and after it.
    pool: Arc<Pool<'bound, Descriptor>>,
    kept: KVec<PoolCoherent<Arc<Pool<'bound, Descriptor>>>>,
}

dma_struct! {
    struct Descriptor {
        addr: u64,
        len: u32,
        flags: u32,
        spare: [u32; 6],
    }
}

const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

type Case<'bound> = fn(&Edu<'bound>) -> Result;

impl pci::Driver for Test {
    type IdInfo = ();
    type Data<'bound> = Edu<'bound>;

    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Edu<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            let edu = edu::Edu::new(dev)?;

            let narrow = DEVICES.fetch_add(1, Ordering::Relaxed) == 0;
            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<28>())?;
            if narrow {
                setup.set_max_seg_size(NARROW_MAX)?;
                setup.set_seg_boundary(NARROW_BOUNDARY)?;
            }
            let dma = setup.finish()?;

            let pool = Arc::new(Pool::new(dma, c"kept", 8, 0)?, GFP_KERNEL)?;
            let mut kept = KVec::new();
            for _ in 0..3 {
                kept.push(PoolCoherent::zeroed(pool.clone(), GFP_KERNEL)?, GFP_KERNEL)?;
            }
            Ok(Edu {
                edu,
                dma,
                narrow,
                pool,
                kept,
            })
        })
    }

    fn start<'bound>(dev: &pci::Device<Start<'_>>, edu: Pin<&Edu<'bound>>) -> Result {
        edu.edu.set_master(dev)?;

        let tests: [(&str, Case<'bound>); 12] = [
            ("sg: what can't be mapped is given back", Edu::sg_refused),
            ("sg: pages", Edu::pages),
            ("sg: segments keep the limits", Edu::sg_segments),
            ("sg: VVec to device, device to pages", Edu::sg_vvec_to_pages),
            ("sg: pages to device, device to VVec", Edu::sg_pages_to_vvec),
            ("sg: for the CPU and back", Edu::sg_for_cpu),
            ("sg: the device is late", Edu::sg_late),
            ("pool: wrong arguments", Edu::pool_refused),
            ("pool: size, alignment and boundary", Edu::pool_layout),
            ("pool: device to and from objects", Edu::pool_transfer),
            ("pool: objects beside their pool", Edu::pool_kept),
            ("pool: the device is late", Edu::pool_late),
        ];

        let mut result = Ok(());
        for (number, (name, test)) in tests.into_iter().enumerate() {
            let outcome = test(&edu);
            dev_info!(
                dev,
                "{} {} {}{}\n",
                if outcome.is_ok() { "ok" } else { "not ok" },
                number + 1,
                name,
                if edu.narrow { ", narrow" } else { "" },
            );
            result = result.and(outcome);
        }
        result
    }
}

/// Says where it failed.
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            pr_err!("line {}: {}\n", line!(), stringify!($condition));
            return Err(EIO);
        }
    };
}

fn pattern(seed: usize, len: usize) -> Result<VVec<u8>> {
    let mut bytes = VVec::with_capacity(len, GFP_KERNEL)?;
    for i in 0..len {
        bytes.push(((i * 7 + i / 251 + seed * 31) & 0xff) as u8, GFP_KERNEL)?;
    }
    Ok(bytes)
}

/// Whether the bytes of pages from `offset` on are these.
fn same(pages: PageBytes<'_>, offset: usize, expected: &[u8]) -> Result<bool> {
    let mut found = VVec::from_elem(0, expected.len(), GFP_KERNEL)?;
    pages.copy_to_slice(offset, &mut found)?;
    Ok(found[..] == *expected)
}

/// A table, for as long as the driver is bound.
type Table<'bound, M, D> = SGTable<Owned<'bound, M, D>>;

fn segments<M: SGMemory, D: Direction>(table: &Table<'_, M, D>) -> Result<KVec<SGEntry>> {
    let mut list = KVec::new();
    for segment in table {
        list.push(segment, GFP_KERNEL)?;
    }
    Ok(list)
}

/// A copy of what a device may write to.
fn copy<'a, T, V>(view: V) -> Result<VVec<T>>
where
    T: Clone + Default + FromBytes,
    V: Io<'a, Target = [T]>,
    V::Backend: IoCopyable,
{
    let mut copy = VVec::from_elem(T::default(), view.len(), GFP_KERNEL)?;
    view.copy_to_slice(&mut copy);
    Ok(copy)
}

impl<'bound> Edu<'bound> {
    /// Has the device copy from memory to memory, by way of its buffer.
    fn copy(&self, from: u64, to: u64, len: u32) -> Result {
        self.edu.fetch(from, 0, len as usize)?;
        self.edu.store(0, to, len as usize)
    }

    /// Has the device copy all bytes of one table to another of the same size.
    fn copy_tables<F: SGMemory, T: SGMemory, DF: Direction, DT: Direction>(
        &self,
        from: &Table<'_, F, DF>,
        to: &Table<'_, T, DT>,
    ) -> Result {
        let (from, to) = (segments(from)?, segments(to)?);
        let (mut from, mut to) = (from.iter(), to.iter());
        let (mut source, mut left) = (0, 0u32);
        let (mut target, mut space) = (0, 0u32);
        loop {
            if left == 0 {
                match from.next() {
                    Some(next) => (source, left) = (next.dma_address(), next.dma_len().try_into()?),
                    None => return Ok(()),
                }
            }
            if space == 0 {
                let next = to.next().ok_or(EINVAL)?;
                (target, space) = (next.dma_address(), next.dma_len().try_into()?);
            }

            let len = left.min(space).min(DEVICE_BUFFER_SIZE);
            self.copy(source, target, len)?;
            (source, left) = (source + u64::from(len), left - len);
            (target, space) = (target + u64::from(len), space - len);
        }
    }

    fn sg_refused(&self) -> Result {
        let result = Table::<VVec<u8>, ToDevice>::new(self.dma, VVec::new(), GFP_KERNEL);
        let Err(error) = result else {
            return Err(EIO);
        };
        check!(error.error() == EINVAL);
        check!(error.into_buffer().is_empty());

        let pages = Pages::zeroed(0, GFP_KERNEL)?;
        let result = Table::<_, FromDevice>::new(self.dma, pages, GFP_KERNEL);
        check!(matches!(result, Err(error) if error.error() == EINVAL));

        let bytes = pattern(0, 5000)?;
        let result = Table::<_, ToDevice>::new(self.dma, bytes, GFP_KERNEL | __GFP_HIGHMEM);
        let Err(error) = result else {
            return Err(EIO);
        };
        check!(error.error() == EINVAL);
        check!(error.into_buffer()[..] == pattern(0, 5000)?[..]);

        // As a driver would write it.
        let result: Result = (|| {
            Table::<_, ToDevice>::new(self.dma, VVec::<u32>::new(), GFP_KERNEL)?;
            Ok(())
        })();
        check!(result == Err(EINVAL));
        Ok(())
    }

    fn pages(&self) -> Result {
        check!(matches!(
            Pages::zeroed((1 << 30) / PAGE_SIZE + 1, GFP_KERNEL),
            Err(EINVAL)
        ));
        check!(matches!(Pages::zeroed(usize::MAX, GFP_KERNEL), Err(EINVAL)));

        let mut pages = Pages::zeroed(3, GFP_KERNEL | __GFP_HIGHMEM)?;
        check!(pages.len() == 3 * PAGE_SIZE);
        check!(same(
            pages.bytes(),
            0,
            &VVec::from_elem(0, 3 * PAGE_SIZE, GFP_KERNEL)?
        )?);

        let bytes = pattern(1, PAGE_SIZE + 2)?;
        pages.copy_from_slice(PAGE_SIZE - 1, &bytes)?;
        check!(same(pages.bytes(), PAGE_SIZE - 1, &bytes)?);
        check!(same(pages.bytes(), PAGE_SIZE - 3, &[0, 0])?);
        check!(same(pages.bytes(), 2 * PAGE_SIZE + 1, &[0, 0])?);

        check!(pages.copy_from_slice(3 * PAGE_SIZE, &[]).is_ok());
        check!(pages.copy_from_slice(3 * PAGE_SIZE, &[1]) == Err(EINVAL));
        check!(pages.copy_from_slice(3 * PAGE_SIZE + 1, &[]) == Err(EINVAL));
        check!(pages.copy_from_slice(usize::MAX, &[1, 2]) == Err(EINVAL));
        check!(
            pages.copy_from_slice(0, &VVec::from_elem(0, 3 * PAGE_SIZE + 1, GFP_KERNEL)?)
                == Err(EINVAL)
        );

        // Given back, and taken again: cleared.
        let table = Table::<_, Bidirectional>::new(self.dma, pages, GFP_KERNEL)?;
        let pages = self.edu.unmap_table(table)?.into_vec();
        check!(pages.len() == 3);
        let pages = Pages::from(pages);
        check!(same(pages.bytes(), PAGE_SIZE - 1, &[0; 64])?);
        Ok(())
    }

    fn check_segments<M: SGMemory, D: Direction>(
        &self,
        table: &Table<'_, M, D>,
        size: usize,
    ) -> Result {
        let (max, mask) = if self.narrow {
            (u64::from(NARROW_MAX), NARROW_BOUNDARY as u64 - 1)
        } else {
            (1 << 16, u32::MAX.into())
        };
        check!(u64::from(self.dma.max_seg_size()) == max);
        check!(self.dma.seg_boundary_mask() as u64 == mask);

        // Where they are copied to may be adjacent, by chance.
        let bounced = self.dma.max_mapping_size() != usize::MAX;

        check!(table.size() == size);
        let mut sum = 0;
        let mut before = None;
        for segment in table {
            let (addr, len) = (segment.dma_address(), segment.dma_len());
            check!(len != 0 && len <= max);
            check!((addr ^ (addr + len - 1)) & !mask == 0);
            check!(addr + len <= 1 << 28);
            if let (Some((start, end)), false) = (before, bounced) {
                // Else they would have been one.
                check!(
                    end != addr
                        || addr + len - start > max
                        || (start ^ (addr + len - 1)) & !mask != 0
                );
            }
            before = Some((addr, addr + len));
            sum += len;
        }
        check!(sum == size as u64);
        Ok(())
    }

    fn sg_segments(&self) -> Result {
        for size in [
            1,
            511,
            512,
            513,
            PAGE_SIZE - 1,
            PAGE_SIZE,
            PAGE_SIZE + 1,
            1_000_003,
        ] {
            let table = Table::<_, ToDevice>::new(self.dma, pattern(2, size)?, GFP_KERNEL)?;
            self.check_segments(&table, size)?;
            check!(self.edu.unmap_table(table)?[..] == pattern(2, size)?[..]);
        }
        // From one page to more than one array of entries has.
        for count in [1, 2, 127, 128, 129, 300] {
            let pages = Pages::zeroed(count, GFP_KERNEL)?;
            let table = Table::<_, FromDevice>::new(self.dma, pages, GFP_ATOMIC)?;
            self.check_segments(&table, count * PAGE_SIZE)?;
            self.edu.unmap_table(table)?;
        }
        Ok(())
    }

    fn sg_vvec_to_pages(&self) -> Result {
        let size = 2 * PAGE_SIZE + 77;
        let from = Table::<_, ToDevice>::new(self.dma, pattern(3, size)?, GFP_KERNEL)?;

        let mut pages = Pages::zeroed(3, GFP_KERNEL)?;
        pages.copy_from_slice(0, &VVec::from_elem(0xee, 3 * PAGE_SIZE, GFP_KERNEL)?)?;
        let mut to = Table::<_, FromDevice>::new(self.dma, pages, GFP_KERNEL)?;

        self.copy_tables(&from, &to)?;

        let expected = pattern(3, size)?;
        check!(same(to.for_cpu().bytes(), 0, &expected)?);
        check!(same(to.for_cpu().bytes(), 0, &expected)?);
        let second = to.for_cpu_range(PAGE_SIZE..2 * PAGE_SIZE)?;
        check!(same(
            second.bytes(),
            0,
            &expected[PAGE_SIZE..][..PAGE_SIZE]
        )?);
        drop(second);
        let pages = self.edu.unmap_table(to)?;
        check!(same(pages.bytes(), 0, &expected)?);
        check!(same(pages.bytes(), size, &[0xee; 64])?);
        check!(self.edu.unmap_table(from)?[..] == expected[..]);
        Ok(())
    }

    fn sg_pages_to_vvec(&self) -> Result {
        let expected = pattern(4, 2 * PAGE_SIZE)?;
        let mut pages = Pages::zeroed(2, GFP_KERNEL)?;
        pages.copy_from_slice(0, &expected)?;
        let from = Table::<_, ToDevice>::new(self.dma, pages, GFP_KERNEL)?;

        let words = VVec::from_elem(0x1234_5678u32, 2 * PAGE_SIZE / 4 + 3, GFP_KERNEL)?;
        let mut to = Table::<_, FromDevice>::new(self.dma, words, GFP_KERNEL)?;

        self.copy_tables(&from, &to)?;

        let correct = |words: &[u32]| {
            let (got, rest) = words.split_at(2 * PAGE_SIZE / 4);
            let mut bytes = expected.chunks_exact(4);
            rest == [0x1234_5678; 3]
                && got
                    .iter()
                    .all(|word| bytes.next() == Some(&word.to_ne_bytes()))
        };
        check!(correct(&copy(&to.for_cpu())?));

        let mut guard = to.for_cpu();
        // SAFETY: The run bit is clear, as `copy_tables` has waited for. It is not set before the
        // guard is dropped.
        check!(correct(unsafe { guard.as_mut() }));
        drop(guard);

        check!(correct(&self.edu.unmap_table(to)?));
        Ok(())
    }

    fn sg_for_cpu(&self) -> Result {
        let mut memory =
            Table::<_, Bidirectional>::new(self.dma, pattern(5, PAGE_SIZE + 100)?, GFP_KERNEL)?;
        let other =
            Table::<_, Bidirectional>::new(self.dma, pattern(6, PAGE_SIZE + 100)?, GFP_KERNEL)?;

        // The device sees what the CPU writes.
        io_project!(&memory.for_cpu(), [try: PAGE_SIZE - 3..PAGE_SIZE + 3])
            .copy_from_slice(b"abcdef");
        self.copy_tables(&memory, &other)?;
        let mut expected = pattern(5, PAGE_SIZE + 100)?;
        expected[PAGE_SIZE - 3..PAGE_SIZE + 3].copy_from_slice(b"abcdef");
        let mut other = self.edu.unmap_table(other)?;
        check!(other[..] == expected[..]);

        // And the other way round.
        other[7] = !other[7];
        let other = Table::<_, ToDevice>::new(self.dma, other, GFP_KERNEL)?;
        self.copy_tables(&other, &memory)?;
        expected[7] = !expected[7];
        check!(copy(&memory.for_cpu())?[..] == expected[..]);

        // A guard that is forgotten gives nothing away.
        core::mem::forget(memory.for_cpu());
        check!(copy(&memory.for_cpu())?[..] == expected[..]);

        // And with pages.
        let mut pages =
            Table::<_, ToDevice>::new(self.dma, Pages::zeroed(2, GFP_KERNEL)?, GFP_KERNEL)?;
        pages.for_cpu().copy_from_slice(0, &expected)?;
        let zeroes = VVec::from_elem(0u8, 2 * PAGE_SIZE, GFP_KERNEL)?;
        let other = Table::<_, FromDevice>::new(self.dma, zeroes, GFP_KERNEL)?;
        self.copy_tables(&pages, &other)?;
        let other = self.edu.unmap_table(other)?;
        check!(other[..PAGE_SIZE + 100] == expected[..]);
        Ok(())
    }

    fn pool_refused(&self) -> Result {
        let name = c"refused, and the name is longer than C keeps";
        let new = |align, boundary| Pool::<[u8; 64]>::new(self.dma, name, align, boundary);
        for align in [0, 3, 48, 2 * PAGE_SIZE, usize::MAX, 1 << (usize::BITS - 1)] {
            check!(matches!(new(align, 0), Err(EINVAL)));
        }
        for boundary in [1, 3, 32, 63, 65, 96, usize::MAX] {
            check!(matches!(new(1, boundary), Err(EINVAL)));
        }
        // Rounded up to the alignment, an object is larger than the boundary.
        check!(matches!(new(128, 64), Err(EINVAL)));
        for (align, boundary) in [
            (1, 0),
            (64, 64),
            (128, 128),
            (PAGE_SIZE, PAGE_SIZE),
            (1, 1 << (usize::BITS - 1)),
        ] {
            check!(new(align, boundary).is_ok());
        }

        check!(matches!(Pool::<u8>::new(self.dma, name, 1, 1), Err(EINVAL)));
        check!(Pool::<u8>::new(self.dma, name, 1, 16).is_ok());
        check!(Pool::<[u8; PAGE_SIZE]>::new(self.dma, name, 1, 0).is_ok());
        check!(matches!(
            Pool::<[u8; PAGE_SIZE + 1]>::new(self.dma, name, 1, 0),
            Err(EINVAL)
        ));

        let slice = |len| Pool::<[u64]>::new_slice(self.dma, name, len, 8, 0);
        for len in [0, PAGE_SIZE / 8 + 1, usize::MAX / 8 + 1, usize::MAX] {
            check!(matches!(slice(len), Err(EINVAL)));
        }
        check!(slice(1).is_ok());
        check!(slice(PAGE_SIZE / 8).is_ok());

        let pool = new(64, 0)?;
        check!(matches!(
            PoolBox::zeroed(&pool, GFP_KERNEL | __GFP_HIGHMEM),
            Err(EINVAL)
        ));
        Ok(())
    }

    fn pool_layout(&self) -> Result {
        let pool = Pool::<[u8; 40]>::new(self.dma, c"layout", 16, 128)?;
        for _ in 0..2 {
            let mut objects = KVec::new();
            for number in 0..200u8 {
                let object = PoolBox::zeroed(&pool, GFP_ATOMIC)?;
                check!(object.iter().all(|byte| *byte == 0));
                let object = object.share();
                object.copy_write([number; 40]);

                let addr = object.dma_address();
                check!(addr % 16 == 0);
                check!(addr / 128 == (addr + 39) / 128);
                check!(addr < 1 << 28);
                check!(object.size() == 40);
                let last = io_project!(object, [build: 39]);
                check!(last.dma_address() == object.dma_address() + 39);
                objects.push(object, GFP_KERNEL)?;
            }
            // None overlaps another.
            for (number, object) in objects.into_iter().enumerate() {
                check!(object.copy_read() == [number as u8; 40]);
                self.free(object)?;
            }
        }

        let slices = Pool::<[u32]>::new_slice(self.dma, c"slices", 7, 4, 0)?;
        let mut slice = PoolBox::zeroed(&slices, GFP_KERNEL)?;
        check!(slice[..] == [0; 7]);
        slice[6] = 6;
        let slice = slice.share();
        check!(slice.len() == 7 && slice.size() == 28);
        let last = io_project!(slice, [try: 6]);
        check!(last.dma_address() == slice.dma_address() + 24);
        check!(last.read_val() == 6);
        let result: Result = (|| {
            io_write!(slice, [try: 7], 7);
            Ok(())
        })();
        check!(result == Err(ERANGE));
        self.free(slice)?;

        let pool = Pool::new(self.dma, c"values", 4, 0)?;
        check!(*PoolBox::new(&pool, 77u32, GFP_KERNEL)? == 77);
        // The same memory again, and cleared.
        let value = PoolCoherent::zeroed(&pool, GFP_KERNEL)?;
        check!(value.read_val() == 0);
        self.free(value)?;
        Ok(())
    }

    fn descriptor(memory: CoherentView<'_, Descriptor>, addr: u64) {
        io_write!(memory, .addr, addr);
        io_write!(memory, .len, 0x1234_5678);
        io_write!(memory, .spare[build: 5], 0x9abc_def0);
    }

    fn is_descriptor(memory: CoherentView<'_, Descriptor>, addr: u64) -> bool {
        io_read!(memory, .addr) == addr
            && io_read!(memory, .len) == 0x1234_5678
            && io_read!(memory, .flags) == 0
            && io_read!(memory, .spare[build: 0]) == 0
            && io_read!(memory, .spare[build: 5]) == 0x9abc_def0
    }

    /// Gives an object back to its pool.
    fn free<R: PoolRef>(&self, object: PoolCoherent<R>) -> Result {
        self.edu.wait()?;
        // SAFETY: The run bit is clear, as `wait` has read. It is set until a transfer is done, and
        // is set again only with other addresses.
        unsafe { object.free() };
        Ok(())
    }

    fn pool_transfer(&self) -> Result {
        let pool = Pool::<Descriptor>::new(self.dma, c"transfer", 4, 0)?;
        let from = PoolBox::zeroed(&pool, GFP_KERNEL)?.share();
        let to = PoolCoherent::zeroed(&pool, GFP_KERNEL)?;
        let beside = PoolCoherent::zeroed(&pool, GFP_KERNEL)?;

        Self::descriptor(from.as_view(), 0x1122_3344_5566_7788);
        self.copy(
            from.dma_address(),
            to.dma_address(),
            from.size().try_into()?,
        )?;
        check!(Self::is_descriptor(to.as_view(), 0x1122_3344_5566_7788));
        check!(io_read!(beside, .addr) == 0);
        check!(io_read!(beside, .spare[build: 5]) == 0);
        for object in [from, to, beside] {
            self.free(object)?;
        }
        Ok(())
    }

    fn pool_kept(&self) -> Result {
        let [from, to, other] = &self.kept[..] else {
            return Err(EIO);
        };
        let more = PoolCoherent::zeroed(self.pool.clone(), GFP_KERNEL)?;

        Self::descriptor(from.as_view(), 1);
        for to in [to, other, &more] {
            self.copy(
                from.dma_address(),
                to.dma_address(),
                from.size().try_into()?,
            )?;
            check!(Self::is_descriptor(to.as_view(), 1));
        }
        self.free(more)
    }

    /// What the device was told of is dropped before it answers: on an error, say. What it writes
    /// then goes to nobody else.
    fn sg_late(&self) -> Result {
        let seed = |number| pattern(number, PAGE_SIZE);
        self.fill(6)?;

        // Each page of it is a segment, or a few. The device writes to the first one.
        let pages = Pages::zeroed(2, GFP_KERNEL)?;
        let table = Table::<_, FromDevice>::new(self.dma, pages, GFP_KERNEL)?;
        let before = self.dma.parked();
        let first = table.iter().next().ok_or(EIO)?;
        self.edu.begin_store(0, first.dma_address(), 512)?;
        drop(table);
        check!(
            self.dma.parked()
                == Parked {
                    count: before.count + 1,
                    bytes: before.bytes + 2 * PAGE_SIZE,
                }
        );

        // These get what was freed, if anything was.
        let mut others = KVec::new();
        let mut tables = KVec::new();
        for number in 0..OTHERS {
            others.push(seed(number)?, GFP_KERNEL)?;
            let table = Table::<_, Bidirectional>::new(self.dma, seed(number)?, GFP_KERNEL)?;
            tables.push(table, GFP_KERNEL)?;
        }
        self.edu.wait()?;
        for (number, (other, mut table)) in others.iter().zip(tables).enumerate() {
            check!(other[..] == seed(number)?[..]);
            check!(copy(&table.for_cpu())?[..] == seed(number)?[..]);
            self.edu.unmap_table(table)?;
        }
        Ok(())
    }

    /// The same with an object of a pool: nobody is given it, and neither is the pool's list of
    /// free objects, which is in such objects, written to. It stays when the pool goes.
    fn pool_late(&self) -> Result {
        let pool = Pool::<Descriptor>::new(self.dma, c"late", 64, 0)?;
        self.fill(7)?;

        let object = PoolCoherent::zeroed(&pool, GFP_KERNEL)?;
        let (addr, size) = (object.dma_address(), object.size());
        let before = self.dma.parked();
        self.edu.begin_store(0, addr, size)?;
        drop(object);
        check!(
            self.dma.parked()
                == Parked {
                    count: before.count + 1,
                    bytes: before.bytes + size,
                }
        );

        let mut others = KVec::new();
        for number in 0..OTHERS {
            let other = PoolCoherent::zeroed(&pool, GFP_KERNEL)?;
            check!(other.dma_address() != addr);
            Self::descriptor(other.as_view(), number as u64);
            others.push(other, GFP_KERNEL)?;
        }
        self.edu.wait()?;
        for (number, other) in others.into_iter().enumerate() {
            check!(Self::is_descriptor(other.as_view(), number as u64));
            self.free(other)?;
        }

        // And once more, with the pool dropped before the answer.
        let object = PoolCoherent::zeroed(&pool, GFP_KERNEL)?;
        self.edu.begin_store(0, object.dma_address(), size)?;
        drop(object);
        drop(pool);
        let pool = Pool::<[u8; PAGE_SIZE]>::new(self.dma, c"after", 64, 0)?;
        let mut others = KVec::new();
        for _ in 0..OTHERS {
            others.push(PoolCoherent::zeroed(&pool, GFP_KERNEL)?, GFP_KERNEL)?;
        }
        self.edu.wait()?;
        for other in others {
            let mut found = KVec::from_elem(1, PAGE_SIZE, GFP_KERNEL)?;
            io_project!(other, [build: ..]).copy_to_slice(&mut found);
            check!(found.iter().all(|byte| *byte == 0));
            self.free(other)?;
        }
        Ok(())
    }

    /// Fills the device's own memory with what no table or object has.
    fn fill(&self, seed: usize) -> Result {
        let mut bytes = pattern(seed, DEVICE_BUFFER_SIZE as usize)?;
        for byte in bytes.iter_mut() {
            *byte ^= 0x5a;
        }
        let table = Table::<_, ToDevice>::new(self.dma, bytes, GFP_KERNEL)?;
        let mut at = 0;
        for segment in &table {
            let len = segment.dma_len() as u32;
            self.edu.fetch(segment.dma_address(), at, len as usize)?;
            at += len;
        }
        self.edu.unmap_table(table)?;
        Ok(())
    }
}

kernel::module_pci_driver! {
    type: Test,
    name: "edu_sg_pool",
    author: "Seed dfb84e63 maintainers",
    description: "Tests of Rust DMA: scatter-gather tables and pools",
    license: "GPL",
}
