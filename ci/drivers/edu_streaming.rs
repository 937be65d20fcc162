// SPDX-License-Identifier: GPL-2.0

//! Tests of streaming mappings and of non-coherent memory, on QEMU's `edu` device.
//!
//! Reports in KTAP to the kernel log, and does not bind if a test fails. The guest has no more memory
//! than `edu` reaches, or bounce buffers.
//!
//! The `unsafe` block is a claim, as those in `edu.rs` are. All of them rest on the run bit, bit 0
//! of the register at 0x98: it is set until a transfer is done, and `edu` begins none by itself.

use kernel::{
    device::{Core, Start},
    dma::*,
    init::pin_init_scope,
    io::{io_project, io_read, io_write, Io, IoCopyable},
    page::{Page, PAGE_SIZE},
    pci,
    prelude::*,
};

// That of ci/cases.
#[allow(dead_code)]
mod edu;

/// How long the device may take for a transfer, in milliseconds.
const TIMEOUT: i64 = 2000;

const SIZE: usize = 4096;

const TESTS: usize = 19;

struct EduStreaming;

type Test<'bound> = fn(&Edu<'bound>) -> Result;

struct Edu<'bound> {
    edu: edu::Edu<'bound>,
    dma: Dma<'bound>,
}

/// QEMU's devices are of one subsystem.
const EDU: pci::DeviceId = pci::DeviceId::from_subsystem(
    pci::Vendor::from_raw(0x1234),
    0x11e8,
    pci::Vendor::REDHAT_QUMRANET,
    0x1100,
);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

impl pci::Driver for EduStreaming {
    type IdInfo = ();
    type Data<'bound> = Edu<'bound>;

    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Edu<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            let edu = edu::Edu::new(dev)?;
            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<28>())?;
            Ok(Edu {
                edu,
                dma: setup.finish()?,
            })
        })
    }

    fn start<'bound>(dev: &pci::Device<Start<'_>>, edu: Pin<&Edu<'bound>>) -> Result {
        edu.edu.set_master(dev)?;

        pr_info!(
            "max {:#x}, opt {:#x}, merge {:#x}, limited {}, cache line {}\n",
            edu.dma.max_mapping_size(),
            edu.dma.opt_mapping_size(),
            edu.dma.merge_boundary_mask(),
            edu.dma.addressing_limited(),
            cache_alignment(),
        );

        let tests: [(&str, Test<'bound>); TESTS] = [
            ("KVec there and back", Edu::vector),
            ("KBox in both directions", Edu::value),
            ("PageBox", Edu::page),
            ("used again without being mapped again", Edu::again),
            ("a range, the rest is left alone", Edu::range),
            ("a guard that is leaked", Edu::leaked_guard),
            ("many small buffers at once", Edu::small),
            ("lengths", Edu::lengths),
            ("the largest size", Edu::largest),
            ("ranges and indices out of range", Edu::ranges),
            ("attributes", Edu::attributes),
            ("too much at once, and the buffer back", Edu::exhaustion),
            ("the device is late", Edu::late),
            ("NonCoherent value", Edu::noncoherent_value),
            ("NonCoherent slice", Edu::noncoherent_slice),
            ("NonCoherent pages", Edu::noncoherent_pages),
            ("NonCoherent wrong arguments", Edu::noncoherent_errors),
            ("NonCoherent, and the device is late", Edu::noncoherent_late),
            ("PageBox and Page", Edu::pages),
        ];

        pr_info!("1..{}\n", tests.len());
        let mut failed = false;
        for (number, (name, test)) in tests.iter().enumerate() {
            let number = number + 1;
            match test(&edu) {
                Ok(()) => pr_info!("ok {number} {name}\n"),
                Err(error) => {
                    failed = true;
                    pr_info!("not ok {number} {name} # {error:?}\n");
                }
            }
        }
        if failed {
            Err(EIO)
        } else {
            Ok(())
        }
    }

    fn unbind<'bound>(dev: &'bound pci::Device<Core<'_>>, edu: Pin<&Edu<'bound>>) {
        let parked = edu.dma.parked();
        dev_info!(dev, "{} bytes parked\n", parked.bytes);
    }
}

/// Fails, and says where, unless something holds.
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            pr_info!("line {}: {}\n", line!(), stringify!($condition));
            return Err(EIO);
        }
    };
}

/// A pattern that does not repeat with the size of a page or a word.
fn pattern(seed: usize, i: usize) -> u8 {
    (i * 7 + i / 251 + seed * 31) as u8
}

fn patterned(seed: usize, len: usize) -> Result<KVec<u8>> {
    let mut vector = KVec::with_capacity(len, GFP_KERNEL)?;
    for i in 0..len {
        vector.push(pattern(seed, i), GFP_KERNEL)?;
    }
    Ok(vector)
}

fn holds(bytes: &[u8], seed: usize) -> bool {
    bytes
        .iter()
        .enumerate()
        .all(|(i, byte)| *byte == pattern(seed, i))
}

fn fill(bytes: &mut [u8], seed: usize) {
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = pattern(seed, i);
    }
}

fn fails<T>(result: Result<T>, error: Error) -> bool {
    matches!(result, Err(found) if found == error)
}

/// A copy of what a device may write to.
fn copy<'a, V>(view: V) -> Result<KVec<u8>>
where
    V: Io<'a, Target = [u8]>,
    V::Backend: IoCopyable,
{
    let mut bytes = KVec::from_elem(0, view.len(), GFP_KERNEL)?;
    view.copy_to_slice(&mut bytes);
    Ok(bytes)
}

/// Buffers of others, of which the device is told nothing.
struct Others<'bound> {
    vectors: KVec<KVec<u8>>,
    mappings: KVec<Mapping<'bound, KVec<u8>, Bidirectional>>,
}

impl<'bound> Others<'bound> {
    const COUNT: usize = 32;
    const SEED: usize = 50;

    /// These get what was freed before, if anything was.
    fn new(dma: Dma<'bound>) -> Result<Self> {
        let mut this = Self {
            vectors: KVec::new(),
            mappings: KVec::new(),
        };
        for _ in 0..Self::COUNT {
            let mapping = Mapping::new(dma, patterned(Self::SEED, SIZE)?)?;
            this.mappings.push(mapping, GFP_KERNEL)?;
            let vector = patterned(Self::SEED, SIZE)?;
            this.vectors.push(vector, GFP_KERNEL)?;
        }
        Ok(this)
    }

    fn check(mut self, edu: &Edu<'_>) -> Result {
        check!(self.vectors.iter().all(|bytes| holds(bytes, Self::SEED)));
        for mapping in &mut self.mappings {
            check!(holds(&copy(&mapping.for_cpu())?, Self::SEED));
        }
        for mapping in self.mappings {
            edu.edu.unmap(mapping)?;
        }
        Ok(())
    }
}

impl<'bound> Edu<'bound> {
    /// Has the device read memory.
    fn send(&self, from: DmaAddress, len: usize) -> Result {
        self.edu.fetch(from, 0, len)
    }

    /// Has the device write memory.
    fn receive(&self, to: DmaAddress, len: usize) -> Result {
        self.edu.store(0, to, len)
    }

    fn vector(&self) -> Result {
        let source = Mapping::<_, ToDevice>::new(self.dma, patterned(1, SIZE)?)?;
        check!(source.size() == SIZE && source.len() == SIZE);
        self.send(source.dma_address(), SIZE)?;
        check!(holds(&self.edu.unmap(source)?, 1));

        let target = KVec::from_elem(0xee, SIZE, GFP_KERNEL)?;
        let mut target = Mapping::<_, FromDevice>::new(self.dma, target)?;
        self.receive(target.dma_address_at(100)?, 1000)?;
        {
            let found = copy(&target.for_cpu())?;
            check!(found[..100].iter().all(|byte| *byte == 0xee));
            check!(holds(&found[100..1100], 1));
            check!(found[1100..].iter().all(|byte| *byte == 0xee));
        }
        self.receive(target.dma_address(), SIZE)?;
        // Without a guard: unmapping syncs as well.
        check!(holds(&self.edu.unmap(target)?, 1));
        Ok(())
    }

    fn value(&self) -> Result {
        let value = KBox::new([0u32; SIZE / 4], GFP_KERNEL)?;
        let mut value = Mapping::<_, Bidirectional>::new(self.dma, value)?;
        io_write!(&value.for_cpu(), [build: 5], 0x1234_5678);
        self.send(value.dma_address(), SIZE)?;

        io_write!(&value.for_cpu(), [build: 5], 7);
        self.receive(value.dma_address() + 16, SIZE - 16)?;
        check!(io_read!(&value.for_cpu(), [build: 9]) == 0x1234_5678);

        let mut guard = value.for_cpu();
        // SAFETY: The run bit is clear, as `receive` has waited for. It is not set before the guard
        // is dropped.
        let words = unsafe { guard.as_mut() };
        words[5] += 3;
        drop(guard);
        let value = self.edu.unmap(value)?;
        check!(value[9] == 0x1234_5678 && value[5] == 3);
        Ok(())
    }

    fn page(&self) -> Result {
        let mut page = PageBox::zeroed(GFP_KERNEL)?;
        fill(&mut page[..], 3);
        let mut page = Mapping::<_, Bidirectional>::new(self.dma, page)?;
        check!(page.size() == PAGE_SIZE);
        self.send(page.dma_address(), SIZE)?;
        let zeroes = KVec::from_elem(0, PAGE_SIZE, GFP_KERNEL)?;
        page.for_cpu_bytes(0..PAGE_SIZE)?.copy_from_slice(&zeroes);
        self.receive(page.dma_address(), SIZE)?;
        check!(holds(&copy(&page.for_cpu_bytes(0..SIZE)?)?, 3));
        let page = self.edu.unmap(page)?;
        check!(holds(&page[..SIZE], 3));
        Ok(())
    }

    fn again(&self) -> Result {
        let mut source = Mapping::<_, ToDevice>::new(self.dma, patterned(4, SIZE)?)?;
        let target = KVec::from_elem(0, SIZE, GFP_KERNEL)?;
        let mut target = Mapping::<_, FromDevice>::new(self.dma, target)?;
        for seed in 5..8 {
            fill(&mut source.for_cpu(), seed);
            self.send(source.dma_address(), SIZE)?;
            self.receive(target.dma_address(), SIZE)?;
            check!(holds(&copy(&target.for_cpu())?, seed));
        }
        check!(holds(&source.for_cpu(), 7));
        Ok(())
    }

    fn range(&self) -> Result {
        let ring = KVec::from_elem(0, 4 * 1024, GFP_KERNEL)?;
        let mut ring = Mapping::<_, Bidirectional>::new(self.dma, ring)?;
        for slot in 0..4 {
            ring.for_cpu_range(slot * 1024..(slot + 1) * 1024)?
                .copy_from_slice(&patterned(10 + slot, 1024)?);
        }
        self.send(ring.dma_address_of(2 * 1024)?, 1024)?;
        ring.for_cpu_bytes(1024..2048)?
            .copy_from_slice(&[0x55; 1024]);
        self.receive(ring.dma_address_of(1024)?, 512)?;
        {
            let slot = copy(&ring.for_cpu_range(1024..2048)?)?;
            check!(slot.len() == 1024);
            check!(holds(&slot[..512], 12));
            check!(slot[512..].iter().all(|byte| *byte == 0x55));
        }
        let ring = self.edu.unmap(ring)?;
        for slot in [0, 2, 3] {
            check!(holds(&ring[slot * 1024..(slot + 1) * 1024], 10 + slot));
        }
        Ok(())
    }

    fn leaked_guard(&self) -> Result {
        let target = KVec::from_elem(0, SIZE, GFP_KERNEL)?;
        let mut target = Mapping::<_, FromDevice>::new(self.dma, target)?;
        let source = Mapping::<_, ToDevice>::new(self.dma, patterned(20, SIZE)?)?;
        core::mem::forget(target.for_cpu());
        self.send(source.dma_address(), SIZE)?;
        self.receive(target.dma_address(), SIZE)?;
        check!(holds(&copy(&target.for_cpu())?, 20));
        Ok(())
    }

    fn small(&self) -> Result {
        type Line<'a> = Mapping<'a, KBox<[u8; 64]>, FromDevice>;
        type Word<'a> = Mapping<'a, KBox<u32>, ToDevice>;
        let mut lines = KVec::new();
        let mut words = KVec::new();
        for i in 0..64 {
            lines.push(
                Line::new(self.dma, KBox::new([0; 64], GFP_KERNEL)?)?,
                GFP_KERNEL,
            )?;
            words.push(Word::new(self.dma, KBox::new(i, GFP_KERNEL)?)?, GFP_KERNEL)?;
        }
        self.send(words[41].dma_address(), 4)?;
        self.receive(lines[43].dma_address(), 4)?;
        for (i, line) in lines.iter_mut().enumerate() {
            let first = io_read!(&line.for_cpu(), [build: 0]);
            check!(first == if i == 43 { 41 } else { 0 });
        }
        Ok(())
    }

    fn lengths(&self) -> Result {
        let empty = Mapping::<_, ToDevice>::new(self.dma, KVec::<u8>::new());
        check!(fails(empty.map_err(Error::from), EINVAL));
        let empty = KVec::<u8>::with_capacity(SIZE, GFP_KERNEL)?;
        let empty = Mapping::<_, FromDevice>::new(self.dma, empty);
        check!(fails(empty.map_err(Error::from), EINVAL));

        let short = Mapping::<_, FromDevice>::new(self.dma, patterned(1, 16)?);
        let failed = short.err().ok_or(EIO)?;
        check!(failed.error() == EINVAL && holds(&failed.into_buffer(), 1));
        let mut short = KVec::with_capacity(64, GFP_KERNEL)?;
        short.push(1u8, GFP_KERNEL)?;
        check!(Mapping::<_, FromDevice>::new(self.dma, short)?.size() == 1);
        check!(Mapping::<_, ToDevice>::new(self.dma, patterned(1, 1)?)?.size() == 1);

        for len in [PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1] {
            let mapping = Mapping::<_, ToDevice>::new(self.dma, patterned(1, len)?)?;
            check!(self.edu.unmap(mapping)?.len() == len);
        }
        Ok(())
    }

    fn largest(&self) -> Result {
        // The largest that can be allocated, if there is no limit.
        let max = core::cmp::min(self.dma.max_mapping_size(), 1 << 20);
        let buffer = KVec::from_elem(0u8, max, GFP_KERNEL)?;
        let mapping = Mapping::<_, Bidirectional>::new(self.dma, buffer)?;
        check!(mapping.size() == max);
        self.edu.unmap(mapping)?;

        if max == self.dma.max_mapping_size() {
            let buffer = KVec::from_elem(0u8, max + 1, GFP_KERNEL)?;
            let quiet = attrs::DMA_ATTR_NO_WARN;
            let failed = Mapping::<_, ToDevice>::new_with_attrs(self.dma, buffer, quiet)
                .err()
                .ok_or(EIO)?;
            check!(failed.error() == ENOMEM && failed.into_buffer().len() == max + 1);
        }
        Ok(())
    }

    fn ranges(&self) -> Result {
        let buffer = KVec::from_elem(0u32, 64, GFP_KERNEL)?;
        let mut buffer = Mapping::<_, Bidirectional>::new(self.dma, buffer)?;
        #[allow(clippy::reversed_empty_ranges)]
        for range in [
            0..0,
            64..64,
            2..1,
            0..65,
            64..65,
            usize::MAX..usize::MAX,
            1..usize::MAX,
        ] {
            check!(fails(buffer.for_cpu_range(range.clone()), EINVAL));
            if range.end != 65 {
                check!(fails(buffer.for_cpu_bytes(range), EINVAL));
            }
        }
        check!(fails(buffer.for_cpu_bytes(0..257), EINVAL));
        check!(buffer.for_cpu_bytes(255..256)?.len() == 1);
        check!(buffer.for_cpu_range(63..64)?.len() == 1);
        check!(buffer.for_cpu_range(0..64)?.len() == 64);
        let addr = buffer.dma_address();
        check!(buffer.dma_address_at(255)? == addr + 255);
        check!(fails(buffer.dma_address_at(256), EINVAL));
        check!(buffer.dma_address_of(63)? == addr + 252);
        check!(fails(buffer.dma_address_of(64), EINVAL));
        Ok(())
    }

    fn attributes(&self) -> Result {
        let all = attrs::DMA_ATTR_WEAK_ORDERING
            | attrs::DMA_ATTR_WRITE_COMBINE
            | attrs::DMA_ATTR_FORCE_CONTIGUOUS
            | attrs::DMA_ATTR_ALLOC_SINGLE_PAGES
            | attrs::DMA_ATTR_NO_WARN
            | attrs::DMA_ATTR_PRIVILEGED;
        let source = Mapping::<_, ToDevice>::new_with_attrs(self.dma, patterned(30, SIZE)?, all)?;
        self.send(source.dma_address(), SIZE)?;
        let page = PageBox::zeroed(GFP_KERNEL)?;
        let page = Mapping::<_, FromDevice>::new_with_attrs(self.dma, page, all)?;
        self.receive(page.dma_address(), SIZE)?;
        check!(holds(&self.edu.unmap(page)?[..SIZE], 30));
        pr_info!("needs sync: {}\n", source.need_sync());
        Ok(())
    }

    /// Maps until the bounce buffers are used up, if there are any.
    fn exhaustion(&self) -> Result {
        if self.dma.max_mapping_size() == usize::MAX {
            return Ok(());
        }
        let mut mappings = KVec::new();
        let failed = loop {
            let buffer = KVec::from_elem(mappings.len() as u8, 128 << 10, GFP_KERNEL)?;
            let quiet = attrs::DMA_ATTR_NO_WARN;
            match Mapping::<_, ToDevice>::new_with_attrs(self.dma, buffer, quiet) {
                Ok(mapping) => mappings.push(mapping, GFP_KERNEL)?,
                Err(failed) => break failed,
            }
        };
        check!(failed.error() == ENOMEM);
        let buffer = failed.into_buffer();
        check!(buffer.iter().all(|byte| *byte == mappings.len() as u8));
        pr_info!("{} mappings of 128 KiB\n", mappings.len());
        // Dropped, they would be parked.
        for mapping in mappings {
            self.edu.unmap(mapping)?;
        }
        let mapping = Mapping::<_, ToDevice>::new(self.dma, buffer)?;
        check!(self.edu.unmap(mapping)?.len() == 128 << 10);
        Ok(())
    }

    /// What the device was told of is dropped before it answers: on an error, say. What it writes
    /// then goes to nobody else.
    fn late(&self) -> Result {
        let source = Mapping::<_, ToDevice>::new(self.dma, patterned(60, SIZE)?)?;
        self.send(source.dma_address(), SIZE)?;
        self.edu.unmap(source)?;

        let target = KVec::from_elem(0xeeu8, SIZE, GFP_KERNEL)?;
        let target = Mapping::<_, FromDevice>::new(self.dma, target)?;
        let before = self.dma.parked();
        self.edu.begin_store(0, target.dma_address(), SIZE)?;
        drop(target);
        let parked = self.dma.parked();
        check!(parked.count == before.count + 1 && parked.bytes == before.bytes + SIZE);

        let others = Others::new(self.dma)?;
        self.edu.wait()?;
        others.check(self)
    }

    fn noncoherent_value(&self) -> Result {
        type Value<'a> = NonCoherent<'a, [u32; 4], Bidirectional>;
        let mut value = Value::zeroed(self.dma, GFP_KERNEL)?;
        check!(value.size() == 16 && value.for_cpu().copy_read() == [0; 4]);
        value.for_cpu().copy_write([1, 2, 3, 4]);
        self.send(value.dma_address(), 16)?;
        value.for_cpu().copy_write([9; 4]);
        self.receive(value.dma_address_at(4)?, 8)?;
        check!(value.for_cpu().copy_read() == [9, 1, 2, 9]);
        Ok(())
    }

    fn noncoherent_slice(&self) -> Result {
        let mut source = NonCoherent::<[u8], ToDevice>::zeroed_slice(self.dma, SIZE, GFP_KERNEL)?;
        let mut target = NonCoherent::<[u8], FromDevice>::zeroed_slice(self.dma, SIZE, GFP_KERNEL)?;
        fill(&mut source.for_cpu(), 40);
        self.send(source.dma_address(), SIZE)?;
        self.receive(target.dma_address_of(1)?, SIZE - 1)?;
        check!(io_read!(&target.for_cpu(), [try: 0]) == 0);
        check!(holds(&copy(&target.for_cpu_range(1..SIZE)?)?, 40));
        Ok(())
    }

    fn noncoherent_pages(&self) -> Result {
        type Pages<'a> = NonCoherent<'a, [[u8; PAGE_SIZE]], Bidirectional>;
        let mut pages = Pages::zeroed_slice(self.dma, 3, GFP_KERNEL)?;
        io_project!(&pages.for_cpu_range(1..2)?, [try: 0][build: ..SIZE])
            .copy_from_slice(&patterned(41, SIZE)?);
        self.send(pages.dma_address_of(1)?, SIZE)?;
        self.receive(pages.dma_address_of(2)?, SIZE)?;
        let pages = pages.for_cpu();
        for (page, seed) in [(1, 41), (2, 41)] {
            let page = io_project!(&pages, [try: page][build: ..SIZE]);
            check!(holds(&copy(page)?, seed));
        }
        let first = copy(io_project!(&pages, [try: 0][build: ..]))?;
        check!(first.iter().all(|byte| *byte == 0));
        Ok(())
    }

    fn noncoherent_late(&self) -> Result {
        type Bytes<'a> = NonCoherent<'a, [u8], FromDevice>;
        let source = Mapping::<_, ToDevice>::new(self.dma, patterned(61, SIZE)?)?;
        self.send(source.dma_address(), SIZE)?;
        self.edu.unmap(source)?;

        let target = Bytes::zeroed_slice(self.dma, SIZE, GFP_KERNEL)?;
        let before = self.dma.parked();
        self.edu.begin_store(0, target.dma_address(), SIZE)?;
        drop(target);
        check!(self.dma.parked().bytes == before.bytes + SIZE);

        let mut others = KVec::new();
        for _ in 0..Others::COUNT {
            let pages = Bytes::zeroed_slice(self.dma, SIZE, GFP_KERNEL)?;
            others.push(pages, GFP_KERNEL)?;
        }
        self.edu.wait()?;
        for other in &mut others {
            check!(copy(&other.for_cpu())?.iter().all(|byte| *byte == 0));
        }
        Ok(())
    }

    fn noncoherent_errors(&self) -> Result {
        type Words<'a> = NonCoherent<'a, [u32], FromDevice>;
        check!(fails(Words::zeroed_slice(self.dma, 0, GFP_KERNEL), EINVAL));
        check!(fails(
            Words::zeroed_slice(self.dma, usize::MAX / 2, GFP_KERNEL),
            ENOMEM
        ));
        check!(fails(
            Words::zeroed_slice(self.dma, usize::MAX / 4, GFP_KERNEL),
            ENOMEM
        ));
        check!(fails(
            Words::zeroed_slice(self.dma, 1 << 28, GFP_KERNEL),
            ENOMEM
        ));
        check!(fails(
            Words::zeroed_slice(self.dma, 1 << 24, GFP_ATOMIC),
            ENOMEM
        ));
        check!(Words::zeroed_slice(self.dma, 1, GFP_ATOMIC)?.size() == 4);
        check!(fails(
            Words::zeroed_slice(self.dma, 1, GFP_KERNEL | __GFP_HIGHMEM),
            EINVAL
        ));
        check!(Words::zeroed_slice(self.dma, 1, GFP_KERNEL | __GFP_ZERO)?.size() == 4);
        for words in [PAGE_SIZE / 4 - 1, PAGE_SIZE / 4, PAGE_SIZE / 4 + 1, 1 << 18] {
            let mut memory = Words::zeroed_slice(self.dma, words, GFP_KERNEL)?;
            check!(memory.len() == words);
            let mut found = VVec::from_elem(1, words, GFP_KERNEL)?;
            memory.for_cpu().copy_to_slice(&mut found);
            check!(found.iter().all(|word| *word == 0));
            check!(fails(memory.for_cpu_range(words - 1..words + 1), EINVAL));
        }
        Ok(())
    }

    fn pages(&self) -> Result {
        let mut page = PageBox::zeroed(GFP_KERNEL | __GFP_HIGHMEM)?;
        check!(*page == [0; PAGE_SIZE]);
        page[7] = 7;
        let page = PageBox::try_from(Page::from(page))?;
        check!(*page == [0; PAGE_SIZE]);
        Ok(())
    }
}

kernel::module_pci_driver! {
    type: EduStreaming,
    name: "edu_streaming",
    author: "Seed dfb84e63 maintainers",
    description: "Tests of streaming mappings, on QEMU's edu device",
    license: "GPL",
}
