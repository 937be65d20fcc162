// SPDX-License-Identifier: GPL-2.0

//! The benchmarks in Rust: what `bench_c.c` does, as a driver in Rust does it.
//!
//! For `edu`, a PCI device that QEMU emulates. All is measured while the driver is being bound, when
//! the device may master the bus: that is when a driver unmaps and frees.
//!
//! The `unsafe` blocks are claims, one of each kind. The device is never told of any memory: nothing
//! sets its run bit, bit 0 of the register at 0x98, without which it does not transfer.

use kernel::{
    device::{Core, Start},
    dma::{
        Bidirectional, Coherent, Direction, Dma, DmaAddress, DmaMask, FromDevice, Mappable,
        Mapping, Plain, Pool, PoolBox, PoolCoherent, PoolRef,
    },
    init::pin_init_scope,
    io::{io_project, io_read, io_write, Io},
    new_mutex, new_spinlock,
    page::PAGE_SIZE,
    pci,
    prelude::*,
    scatterlist::{Owned, Pages, SGMemory, SGTable},
    sync::{
        barrier::{dma_mb, Read, Write},
        Mutex, SpinLock,
    },
    time::{delay::fsleep, ktime_ms_delta, Delta, Ktime},
};

const SAMPLES: usize = 5;
const ENTRIES: usize = 256;

const BUFFER: usize = 4096;

const TABLES: usize = 3;

/// So many buffers are parked each time.
const PARKED: usize = 64;

const LIVENESS: usize = 0x04;
const COMMAND: usize = 0x98;
const RUN: u32 = 1;

/// What the NVMe driver does, with commands of this many pages at most, all in one buffer.
const PAGES: usize = 16;
const OPCODE_READ: u32 = 0x02;
/// Registers of edu that take any value, for the doorbells.
const TAIL_DOORBELL: usize = 0x04;
const HEAD_DOORBELL: usize = 0x08;
const TIMEOUT_MS: i64 = 10_000;

/// So often without a loop: what compilers make of a loop is not what is to be compared.
macro_rules! times_16 {
    (@4 $($what:tt)*) => {{
        $($what)*;
        $($what)*;
        $($what)*;
        $($what)*;
    }};
    ($($what:tt)*) => {
        times_16!(@4 times_16!(@4 $($what)*))
    };
}

kernel::dma_struct! {
    struct Descriptor {
        addr: u64,
        len: u32,
        /// Bit 0 is the phase: 1 in the first lap around the ring, 0 in the second, and so on.
        flags: u32,
    }

    struct Mailbox {
        command: u32,
        status: u32,
        argument: u64,
    }

    struct Submission {
        /// The opcode, and in the upper half the command identifier.
        dword0: u32,
        namespace: u32,
        reserved: u64,
        metadata: u64,
        prp1: u64,
        prp2: u64,
        dword10: u32,
        dword11: u32,
        dword12: u32,
        dword13: u32,
        dword14: u32,
        dword15: u32,
    }

    struct Completion {
        result: u32,
        reserved: u32,
        submission_head: u16,
        submission_queue: u16,
        command: u16,
        /// The status, and in bit 0 the phase.
        status: u16,
    }
}

struct Ring<'bound> {
    descriptors: Coherent<'bound, [Descriptor; ENTRIES]>,
    /// Descriptors filled so far.
    tail: u32,
}

/// A command, without its identifier.
#[derive(Clone, Copy, Default)]
struct Command {
    opcode: u32,
    namespace: u32,
    prps: (u64, u64),
    dwords: [u32; 3],
}

/// What became of a command identifier.
#[derive(Clone, Copy)]
enum Slot {
    Free,
    Busy,
    Done { status: u16, result: u32 },
}

/// A submission queue with its completion queue.
struct Queue<'bound> {
    submissions: Coherent<'bound, [Submission]>,
    completions: Coherent<'bound, [Completion]>,
    state: Pin<KBox<SpinLock<QueueState>>>,
}

struct QueueState {
    /// Where the next command goes.
    tail: usize,
    /// Where the next completion is expected, and the phase that tells that it is there.
    head: usize,
    phase: u16,
    /// By command identifier; one less than entries, so that the queue never overflows.
    slots: KVec<Slot>,
    next: usize,
}

/// Where the device writes its next completion, and with which phase.
struct Device {
    head: usize,
    phase: u16,
}

type Registers<'bound> = pci::Bar<'bound, 0xa0>;

struct Bench<'bound> {
    dma: Dma<'bound>,
    regs: Registers<'bound>,
    mailbox: Coherent<'bound, Mailbox>,
    ring: Ring<'bound>,
    /// There, but while it is mapped.
    buffer: Option<KVec<u8>>,
    received: Mapping<'bound, KVec<u8>, FromDevice>,
    copy: KBox<[u8; BUFFER]>,
    /// There, until they are parked.
    spares: KVec<Option<KVec<u8>>>,
    parked: usize,
    pool: Pool<'bound, [u64; 8]>,
    /// There, but while they are mapped.
    pages: [Option<Pages>; TABLES],
    queue: Queue<'bound>,
    device: Device,
    lists: Pool<'bound, [u64]>,
    data: Coherent<'bound, [u8]>,
}

type Table<'bound, M, D> = SGTable<Owned<'bound, M, D>>;

#[inline(always)]
fn unmap<B: Mappable, D: Direction>(mapping: Mapping<'_, B, D>) -> B {
    // SAFETY: The run bit is never set, so the device accesses nothing.
    unsafe { mapping.unmap() }
}

#[inline(always)]
fn unmap_table<M: SGMemory, D: Direction>(table: Table<'_, M, D>) -> M {
    // SAFETY: The run bit is never set, so the device accesses nothing.
    unsafe { table.unmap() }
}

#[inline(always)]
fn free<T: ?Sized + Plain>(memory: Coherent<'_, T>) {
    // SAFETY: The run bit is never set, so the device accesses nothing.
    unsafe { memory.free() }
}

#[inline(always)]
fn free_object<R: PoolRef>(object: PoolCoherent<R>) {
    // SAFETY: The run bit is never set, so the device accesses nothing.
    unsafe { object.free() }
}

#[inline(never)]
fn nothing(_bench: &mut Bench<'_>, _arg: usize) -> Result {
    Ok(())
}

#[inline(never)]
fn alloc(bench: &mut Bench<'_>, size: usize) -> Result {
    free(Coherent::<[u8]>::zeroed_slice(bench.dma, size, GFP_KERNEL)?);
    Ok(())
}

#[inline(never)]
fn field_read(bench: &mut Bench<'_>, times: usize) -> Result {
    for _ in 0..times {
        times_16!(let _ = io_read!(bench.mailbox, .status));
    }
    Ok(())
}

#[inline(never)]
fn field_write(bench: &mut Bench<'_>, times: usize) -> Result {
    for _ in 0..times {
        times_16!(io_write!(bench.mailbox, .command, 1));
    }
    Ok(())
}

fn phase(number: u32) -> u32 {
    !(number / ENTRIES as u32) & 1
}

impl Ring<'_> {
    fn push(&mut self, addr: u64, len: u32) -> Result {
        let at = self.tail as usize % ENTRIES;

        io_write!(self.descriptors, [try: at].addr, addr);
        io_write!(self.descriptors, [try: at].len, len);
        dma_mb(Write);
        io_write!(self.descriptors, [try: at].flags, phase(self.tail));
        self.tail = self.tail.wrapping_add(1);
        Ok(())
    }

    fn pop(&self, head: &mut u32) -> Result<Option<u32>> {
        let at = *head as usize % ENTRIES;

        if io_read!(self.descriptors, [try: at].flags) & 1 != phase(*head) {
            return Ok(None);
        }
        dma_mb(Read);
        let len = io_read!(self.descriptors, [try: at].len);
        *head = head.wrapping_add(1);
        Ok(Some(len))
    }
}

#[inline(never)]
fn ring_fill(bench: &mut Bench<'_>, entries: usize) -> Result {
    for i in 0..entries {
        bench.ring.push((i as u64) << 12, i as u32)?;
    }
    Ok(())
}

/// What was filled in last.
#[inline(never)]
fn ring_drain(bench: &mut Bench<'_>, entries: usize) -> Result {
    let mut head = bench.ring.tail.wrapping_sub(ENTRIES as u32);
    let mut sum = 0_u32;
    while let Some(len) = bench.ring.pop(&mut head)? {
        sum = sum.wrapping_add(len);
    }
    if sum as usize != entries * (entries - 1) / 2 {
        return Err(EIO);
    }
    Ok(())
}

#[inline(never)]
fn register_read(bench: &mut Bench<'_>, times: usize) -> Result {
    for _ in 0..times {
        times_16!(let _ = bench.regs.read32(LIVENESS));
    }
    Ok(())
}

#[inline(never)]
fn register_write(bench: &mut Bench<'_>, times: usize) -> Result {
    for _ in 0..times {
        times_16!(bench.regs.write32(1, LIVENESS));
    }
    Ok(())
}

#[inline(never)]
fn stream(bench: &mut Bench<'_>, times: usize) -> Result {
    let mut buffer = bench.buffer.take().ok_or(EINVAL)?;
    for _ in 0..times {
        buffer = unmap(Mapping::<_, Bidirectional>::new(bench.dma, buffer)?);
    }
    bench.buffer = Some(buffer);
    Ok(())
}

#[inline(never)]
fn stream_sync(bench: &mut Bench<'_>, times: usize) -> Result {
    let buffer = bench.buffer.take().ok_or(EINVAL)?;
    let mut mapping = Mapping::<_, Bidirectional>::new(bench.dma, buffer)?;
    for _ in 0..times {
        drop(mapping.for_cpu());
    }
    bench.buffer = Some(unmap(mapping));
    Ok(())
}

/// What was received is copied, and the buffer is the device's again.
#[inline(never)]
fn receive(bench: &mut Bench<'_>, times: usize) -> Result {
    for _ in 0..times {
        let guard = bench.received.for_cpu();
        io_project!(guard, [try: ..BUFFER]).copy_to_slice(&mut bench.copy[..]);
    }
    Ok(())
}

/// What the device may still write to is dropped.
#[inline(never)]
fn park(bench: &mut Bench<'_>, times: usize) -> Result {
    for _ in 0..times {
        let spare = bench.spares.get_mut(bench.parked).and_then(Option::take);
        drop(Mapping::<_, FromDevice>::new(
            bench.dma,
            spare.ok_or(EINVAL)?,
        )?);
        bench.parked += 1;
    }
    Ok(())
}

#[inline(never)]
fn pool(bench: &mut Bench<'_>, times: usize) -> Result {
    for _ in 0..times {
        free_object(PoolCoherent::zeroed(&bench.pool, GFP_KERNEL)?);
    }
    Ok(())
}

#[inline(never)]
fn sg(bench: &mut Bench<'_>, which: usize) -> Result {
    let place = bench.pages.get_mut(which).ok_or(EINVAL)?;
    let mut pages = place.take().ok_or(EINVAL)?;
    // As many pages for all tables in all.
    for _ in 0..ENTRIES >> (4 * which) {
        let (mut size, mut addrs) = (0_usize, 0);
        let table = Table::<_, Bidirectional>::new(bench.dma, pages, GFP_KERNEL)?;
        for segment in &table {
            size = size.wrapping_add(segment.dma_len() as usize);
            addrs |= segment.dma_address();
        }
        pages = unmap_table(table);
        if size != pages.len() || addrs % PAGE_SIZE as DmaAddress != 0 {
            return Err(EIO);
        }
    }
    *place = Some(pages);
    Ok(())
}

fn make_pages(dma: Dma<'_>, count: usize) -> Result<Pages> {
    let mut pages = KVec::with_capacity(count, GFP_KERNEL)?;
    let mut others = KVec::new();
    let mut previous = DmaAddress::MAX;

    // No two of them adjacent, so that every time there are as many segments. An IOMMU gives all of
    // them the same address, one after the other; of what comes from the allocator in a row, every
    // other page is not adjacent either.
    for tried in 0.. {
        if pages.len() == count {
            break;
        }
        let page = Pages::zeroed(1, GFP_KERNEL)?;
        let table = Table::<_, Bidirectional>::new(dma, page, GFP_KERNEL)?;
        let addr = table.iter().next().ok_or(EIO)?.dma_address();
        let odd = if addr == previous {
            tried % 2 == 1
        } else {
            addr & PAGE_SIZE as DmaAddress != 0 && tried < 8 * count
        };
        previous = addr;
        for page in unmap_table(table).into_vec() {
            let list = if odd { &mut others } else { &mut pages };
            list.push(page, GFP_KERNEL)?;
        }
    }
    Ok(Pages::from(pages))
}

impl Command {
    /// Writes it to an entry of a queue. What isn't written here is always zero.
    fn write(&self, queue: &Coherent<'_, [Submission]>, at: usize, id: u16) -> Result {
        let dword0 = self.opcode | (u32::from(id) << 16);

        io_write!(queue, [try: at].dword0, dword0.to_le());
        io_write!(queue, [try: at].namespace, self.namespace.to_le());
        io_write!(queue, [try: at].prp1, self.prps.0.to_le());
        io_write!(queue, [try: at].prp2, self.prps.1.to_le());
        io_write!(queue, [try: at].dword10, self.dwords[0].to_le());
        io_write!(queue, [try: at].dword11, self.dwords[1].to_le());
        io_write!(queue, [try: at].dword12, self.dwords[2].to_le());
        Ok(())
    }
}

/// The next number, around a queue.
fn after(number: usize, entries: usize) -> usize {
    if number + 1 == entries {
        0
    } else {
        number + 1
    }
}

impl<'bound> Queue<'bound> {
    fn new(dma: Dma<'bound>) -> Result<Self> {
        let state = QueueState {
            tail: 0,
            head: 0,
            phase: 1,
            slots: KVec::from_elem(Slot::Free, ENTRIES - 1, GFP_KERNEL)?,
            next: 0,
        };
        Ok(Self {
            submissions: Coherent::zeroed_slice(dma, ENTRIES, GFP_KERNEL)?,
            completions: Coherent::zeroed_slice(dma, ENTRIES, GFP_KERNEL)?,
            state: KBox::pin_init(new_spinlock!(state), GFP_KERNEL)?,
        })
    }

    fn entries(&self) -> usize {
        self.submissions.len()
    }

    /// Writes a command to the queue; returns its identifier.
    fn submit(&self, command: &Command) -> Result<u16> {
        let mut guard = self.state.lock();
        let state = &mut *guard;

        for _ in 0..state.slots.len() {
            let id = state.next;
            state.next = after(id, state.slots.len());
            let slot = state.slots.get_mut(id).ok_or(EIO)?;
            if matches!(slot, Slot::Free) {
                command.write(&self.submissions, state.tail, id as u16)?;
                state.tail = after(state.tail, self.entries());
                *slot = Slot::Busy;
                return Ok(id as u16);
            }
        }
        Err(EBUSY)
    }

    /// Tells the device of all commands that are in the queue.
    fn ring(&self, regs: &Registers<'_>) {
        let state = self.state.lock();
        regs.write32(state.tail as u32, TAIL_DOORBELL);
    }

    /// Takes all completions that are there.
    fn reap(&self, regs: &Registers<'_>, state: &mut QueueState) -> Result {
        let mut any = false;
        loop {
            let at = state.head;
            let status = u16::from_le(io_read!(self.completions, [try: at].status));
            if status & 1 != state.phase {
                break;
            }

            // The rest of the entry is to be read after the phase.
            dma_mb(Read);
            let result = u32::from_le(io_read!(self.completions, [try: at].result));
            let id = u16::from_le(io_read!(self.completions, [try: at].command));

            any = true;
            state.head = after(at, self.entries());
            if state.head == 0 {
                state.phase ^= 1;
            }

            match state.slots.get_mut(usize::from(id)) {
                Some(slot) if matches!(slot, Slot::Busy) => {
                    *slot = Slot::Done {
                        status: status >> 1,
                        result,
                    }
                }
                _ => {
                    pr_err!("completion of command {id}, which is not under way\n");
                    return Err(EIO);
                }
            }
        }
        if any {
            regs.write32(state.head as u32, HEAD_DOORBELL);
        }
        Ok(())
    }

    /// Waits until a command is done; returns what the completion has for it.
    fn wait(&self, regs: &Registers<'_>, id: u16) -> Result<u32> {
        let start = Ktime::ktime_get();
        loop {
            let late = ktime_ms_delta(Ktime::ktime_get(), start) > TIMEOUT_MS;

            let mut state = self.state.lock();
            self.reap(regs, &mut state)?;
            let slot = state.slots.get_mut(usize::from(id)).ok_or(EINVAL)?;
            if let Slot::Done { status, result } = *slot {
                *slot = Slot::Free;
                drop(state);
                if status & 0x7ff != 0 {
                    pr_err!("a command failed: {status:#x}\n");
                    return Err(EIO);
                }
                return Ok(result);
            }
            drop(state);

            if late {
                pr_err!("command {id} timed out\n");
                return Err(ETIMEDOUT);
            }
            fsleep(Delta::from_micros(20));
        }
    }
}

/// The PRP entries for the first pages of the buffer, and the list with more than two pages.
#[allow(clippy::type_complexity)]
fn prps<'a, 'bound>(
    data: &Coherent<'_, [u8]>,
    lists: &'a Pool<'bound, [u64]>,
    len: usize,
) -> Result<((u64, u64), Option<PoolCoherent<&'a Pool<'bound, [u64]>>>)> {
    let first = data.dma_address();
    match len / PAGE_SIZE {
        1 => Ok(((first, 0), None)),
        2 => {
            let second = io_project!(data, [try: PAGE_SIZE]).dma_address();
            Ok(((first, second), None))
        }
        count => {
            let mut list = PoolBox::zeroed(lists, GFP_KERNEL)?;
            for (entry, page) in list.iter_mut().zip(1..count) {
                let page = io_project!(data, [try: page * PAGE_SIZE]).dma_address();
                *entry = page.to_le();
            }
            let list = list.share();
            Ok(((first, list.dma_address()), Some(list)))
        }
    }
}

impl Device {
    /// The device's part: the next completion.
    fn complete(&mut self, queue: &Queue<'_>, id: u16) -> Result {
        io_write!(queue.completions, [try: self.head].result, 0);
        io_write!(queue.completions, [try: self.head].command, id.to_le());
        dma_mb(Write);
        io_write!(queue.completions, [try: self.head].status, self.phase.to_le());
        self.head = after(self.head, queue.entries());
        if self.head == 0 {
            self.phase ^= 1;
        }
        Ok(())
    }
}

#[inline(never)]
fn nvme(bench: &mut Bench<'_>, len: usize) -> Result {
    for i in 0..16 {
        let (prps, list) = prps(&bench.data, &bench.lists, len)?;
        let command = Command {
            opcode: OPCODE_READ,
            namespace: 1,
            prps,
            dwords: [i, 0, (len / 512 - 1) as u32],
        };
        let id = bench.queue.submit(&command)?;
        bench.queue.ring(&bench.regs);
        bench.device.complete(&bench.queue, id)?;
        bench.queue.wait(&bench.regs, id)?;
        if let Some(list) = list {
            free_object(list);
        }
    }
    Ok(())
}

struct Row {
    name: &'static str,
    count: usize,
    run: fn(&mut Bench<'_>, usize) -> Result,
    arg: usize,
}

macro_rules! rows {
    ($($name:literal, $count:expr, $run:ident, $arg:expr;)*) => {
        [$(Row { name: $name, count: $count, run: $run, arg: $arg }),*]
    };
}

static ROWS: [Row; 22] = rows! {
    "nothing", 1, nothing, 0;
    "alloc-64", 1, alloc, 64;
    "alloc-4K", 1, alloc, 4 << 10;
    "alloc-64K", 1, alloc, 64 << 10;
    "alloc-1M", 1, alloc, 1 << 20;
    "alloc-4M", 1, alloc, 4 << 20;
    "field-read", 256, field_read, 16;
    "field-write", 256, field_write, 16;
    "ring-fill", ENTRIES, ring_fill, ENTRIES;
    "ring-drain", ENTRIES, ring_drain, ENTRIES;
    "register-read", 256, register_read, 16;
    "register-write", 256, register_write, 16;
    "stream", 1024, stream, 1024;
    "stream-sync", 1024, stream_sync, 1024;
    "receive", 256, receive, 256;
    "park", PARKED, park, PARKED;
    "pool", 1024, pool, 1024;
    "sg-1", ENTRIES, sg, 0;
    "sg-16", ENTRIES / 16, sg, 1;
    "sg-256", ENTRIES / 256, sg, 2;
    "nvme-4K", 16, nvme, 4 << 10;
    "nvme-64K", 16, nvme, 64 << 10;
};

impl Bench<'_> {
    fn measure(&mut self, row: &Row) -> Result {
        let mut least = i64::MAX;
        for _ in 0..SAMPLES {
            let begin = Ktime::ktime_get();
            let result = (row.run)(self, row.arg);
            let end = Ktime::ktime_get();
            result?;
            least = least.min((end - begin).to_ns());
        }
        pr_info!("{} {} {}\n", row.name, row.count, least);
        Ok(())
    }
}

struct BenchRust;

#[pin_data]
struct Data<'bound> {
    #[pin]
    bench: Mutex<Bench<'bound>>,
}

const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

impl pci::Driver for BenchRust {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;

    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            dev.enable_device_mem()?;
            let regs = dev.iomap_region_sized(0, c"bench_rust")?;
            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<64>())?;
            let dma = setup.finish()?;

            let received = KVec::from_elem(0, BUFFER, GFP_KERNEL)?;
            let mut spares = KVec::new();
            for _ in 0..PARKED * SAMPLES {
                let spare = KVec::from_elem(0, BUFFER, GFP_KERNEL)?;
                spares.push(Some(spare), GFP_KERNEL)?;
            }
            let bench = Bench {
                dma,
                regs,
                mailbox: Coherent::zeroed(dma, GFP_KERNEL)?,
                ring: Ring {
                    descriptors: Coherent::zeroed(dma, GFP_KERNEL)?,
                    tail: 0,
                },
                buffer: Some(KVec::from_elem(0, BUFFER, GFP_KERNEL)?),
                received: Mapping::new(dma, received)?,
                copy: KBox::new([0; BUFFER], GFP_KERNEL)?,
                spares,
                parked: 0,
                pool: Pool::new(dma, c"bench_rust", 64, 0)?,
                pages: [
                    Some(make_pages(dma, 1)?),
                    Some(make_pages(dma, 16)?),
                    Some(make_pages(dma, 256)?),
                ],
                queue: Queue::new(dma)?,
                device: Device { head: 0, phase: 1 },
                lists: Pool::new_slice(dma, c"lists", PAGES, PAGES * 8, 0)?,
                data: Coherent::zeroed_slice(dma, PAGES * PAGE_SIZE, GFP_KERNEL)?,
            };
            Ok(try_pin_init!(Data {
                bench <- new_mutex!(bench),
            }))
        })
    }

    fn start(dev: &pci::Device<Start<'_>>, data: Pin<&Data<'_>>) -> Result {
        let mut bench = data.bench.lock();
        if bench.regs.read32(COMMAND) & RUN != 0 {
            return Err(EBUSY);
        }
        // SAFETY: The run bit is clear, as was just read, and is never set.
        unsafe { dev.set_master() };

        for row in &ROWS {
            if let Err(error) = bench.measure(row) {
                pr_err!("{} failed\n", row.name);
                return Err(error);
            }
        }
        Ok(())
    }
}

kernel::module_pci_driver! {
    type: BenchRust,
    name: "bench_rust",
    author: "Seed dfb84e63 maintainers",
    description: "Benchmarks of the DMA abstraction in Rust, for QEMU's edu device",
    license: "GPL",
}
