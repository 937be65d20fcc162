// SPDX-License-Identifier: GPL-2.0

//! A PCI driver that does DMA: for NVM Express controllers, of which it reads the first namespace.
//!
//! When it is bound, this driver prints what the controller and its namespaces are, and reads the
//! beginning of the first namespace several times: with transfers of 512 bytes to 1 MiB, in order
//! and in a random order, by one pair of queues and by four. Each time it logs a checksum of what it
//! read, which depends on the content and the place of all bytes, but not on the order of the
//! transfers. It never writes to the disk, and makes no block device of it. When the system was
//! suspended, it reads with the smallest and the largest transfers again.
//!
//! Each pair of queues has an interrupt of its own, and the thread of that interrupt does all the
//! work: it takes the completions, sums up what was read, and has the buffer filled again. So four
//! of them work on four CPUs, if there are as many.
//!
//! Most kinds of DMA memory have their use here: the queues are coherent memory, blocks are read
//! into scatter-gather tables, the lists of their pages are from a pool, and what the controller
//! says of itself goes to a streaming mapping.
//!
//! All of it is read anew when the system was suspended, and after an error from which the controller
//! was recovered by a reset.
//!
//! The two `unsafe` blocks are claims: that the controller has finished with a table, and with a
//! list, since it has completed all commands.
//!
//! The checksum is the sum over all 64-bit little-endian words of `word * (2 * number + 1)`, where
//! `number` counts them from the beginning of the namespace, modulo 2^64. So a change to any single
//! word shows.
//!
//! To try it:
//! `qemu-system-x86_64 -drive file=disk,if=none,id=disk -device nvme,drive=disk,serial=1 ...`
//!
//! Other controllers, which must not be in use, are bound when their numbers of vendor and device
//! are written to `/sys/bus/pci/drivers/rust_dma_nvme/new_id`.
//!
//! Specifications: NVM Express Base Specification 2.0 ("Base" below) and NVM Express NVM Command
//! Set Specification 1.0 ("NVM" below), <https://nvmexpress.org/specifications/>

use core::fmt::{self, Write};
use kernel::{
    byteorder::{Le16, Le32, Le64},
    device::{Bound, Core, Start},
    dma::{Coherent, Dma, DmaMask, FromDevice, Mapping, PageBox, Pool, PoolBox, PoolCoherent},
    fmt,
    init::{pin_init_array_from_fn, pin_init_scope},
    io::{io_project, io_read, Io},
    irq::{Flags, IrqReturn, ThreadedHandler},
    new_mutex,
    pci::{self, ChannelState, ErsResult, IrqType, IrqTypes},
    prelude::*,
    scatterlist::{Owned, SGTable},
    str::CString,
    sync::{
        self,
        barrier::{dma_mb, Full, Read},
        Arc, Mutex,
    },
    time::{delay::fsleep, ktime_ms_delta, msecs_to_jiffies, Delta, Ktime, Msecs},
};

/// Base, section 3.1.3: controller properties, in BAR 0.
mod regs {
    /// Capabilities, 64 bits.
    pub(super) const CAP: usize = 0x00;
    /// Version.
    pub(super) const VS: usize = 0x08;
    /// Controller configuration.
    pub(super) const CC: usize = 0x14;
    pub(super) const CC_EN: u32 = 1 << 0;
    /// Entries of submission queues have 2^6 bytes.
    pub(super) const CC_IOSQES: u32 = 6 << 16;
    /// Entries of completion queues have 2^4 bytes.
    pub(super) const CC_IOCQES: u32 = 4 << 20;

    /// Controller status.
    pub(super) const CSTS: usize = 0x1c;
    pub(super) const CSTS_RDY: u32 = 1 << 0;
    /// Controller fatal status.
    pub(super) const CSTS_CFS: u32 = 1 << 1;

    /// Admin queues: their sizes, and where they are, 64 bits each.
    pub(super) const AQA: usize = 0x24;
    pub(super) const ASQ: usize = 0x28;
    pub(super) const ACQ: usize = 0x30;

    /// The doorbells begin here, and so these properties end.
    pub(super) const DOORBELLS: usize = 0x1000;
}

type Registers<'bound> = pci::Bar<'bound, { regs::DOORBELLS }>;

/// What a register reads as when the device is gone.
const GONE: u32 = u32::MAX;

/// How long a command may take, or many of them without any progress.
const TIMEOUT: Msecs = 10_000;

/// The controller's pages. It may know larger ones as well, which would be of no use here.
const PAGE_SIZE: usize = 4096;

const ADMIN_ENTRIES: usize = 16;
const IO_ENTRIES: usize = 1024;

/// Transfers of these sizes, and all powers of two between.
const SMALLEST: usize = 512;
const LARGEST: usize = 1 << 20;

/// As much of the namespace is read, in no more transfers than this.
const EXTENT: u64 = 64 << 20;
const TRANSFERS: u64 = 1024;

/// The most that read at the same time.
const READERS: usize = 4;

/// The interrupt of the first of them. Before it is that of the admin queue, which is polled.
const FIRST_VECTOR: u32 = 1;

/// How many commands each of them has under way, and how many bytes.
const BATCH: usize = 256;
const BATCH_SIZE: usize = LARGEST;

const IDENTIFY_SIZE: usize = 4096;

/// Base, section 5: admin commands; NVM, section 3.2: I/O commands.
mod opcode {
    pub(super) const CREATE_IO_SQ: u32 = 0x01;
    pub(super) const CREATE_IO_CQ: u32 = 0x05;
    pub(super) const IDENTIFY: u32 = 0x06;
    pub(super) const SET_FEATURES: u32 = 0x09;

    pub(super) const READ: u32 = 0x02;
}

/// Base, section 5.17: what is to be identified.
mod cns {
    pub(super) const NAMESPACE: u32 = 0x00;
    pub(super) const CONTROLLER: u32 = 0x01;
    pub(super) const ACTIVE_NAMESPACES: u32 = 0x02;
}

/// Base, section 5.27.1.5: the feature "number of queues".
const FEATURE_QUEUES: u32 = 0x07;

/// The number of the first I/O queues.
const IO_QUEUE: u32 = 1;

kernel::dma_struct! {
    /// An entry of a submission queue; Base, section 3.3.3.1.
    #[derive(Clone, Copy, Default)]
    struct Submission {
        /// The opcode, and in the upper half the command identifier.
        dword0: Le32,
        namespace: Le32,
        reserved: Le64,
        metadata: Le64,
        prp1: Le64,
        prp2: Le64,
        dword10: Le32,
        dword11: Le32,
        dword12: Le32,
        dword13: Le32,
        dword14: Le32,
        dword15: Le32,
    }

    /// An entry of a completion queue; Base, section 3.3.3.2.
    #[derive(Clone, Copy, Default)]
    struct Completion {
        result: Le32,
        reserved: Le32,
        submission_head: Le16,
        submission_queue: Le16,
        command: Le16,
        /// The status, and in bit 0 the phase.
        status: Le16,
    }
}

/// A command, without its identifier.
#[derive(Clone, Copy, Default)]
struct Command {
    opcode: u32,
    namespace: u32,
    prps: (u64, u64),
    dwords: [u32; 3],
}

impl Command {
    fn with_identifier(&self, id: u16) -> Submission {
        Submission {
            dword0: (self.opcode | (u32::from(id) << 16)).into(),
            namespace: self.namespace.into(),
            prp1: self.prps.0.into(),
            prp2: self.prps.1.into(),
            dword10: self.dwords[0].into(),
            dword11: self.dwords[1].into(),
            dword12: self.dwords[2].into(),
            ..Submission::default()
        }
    }
}

/// A submission queue with its completion queue.
struct Queue<'bound> {
    regs: Arc<Registers<'bound>>,
    submissions: Coherent<'bound, [Submission]>,
    completions: Coherent<'bound, [Completion]>,
    /// Offsets of the doorbells.
    tail_doorbell: usize,
    head_doorbell: usize,
    /// Where the next command goes.
    tail: usize,
    /// Where the next completion is expected, and the phase that tells that it is there.
    head: usize,
    phase: u16,
}

/// What the controller says of a command that is done.
struct Done {
    id: u16,
    result: Result<u32>,
}

/// The number that comes next, around a queue.
fn after(number: usize, entries: usize) -> usize {
    if number + 1 < entries {
        number + 1
    } else {
        0
    }
}

impl<'bound> Queue<'bound> {
    /// Allocates a pair of queues. `stride` is the distance between doorbells.
    fn new(
        dma: Dma<'bound>,
        regs: Arc<Registers<'bound>>,
        number: u32,
        entries: usize,
        stride: usize,
    ) -> Result<Self> {
        // NVMe over PCIe Transport Specification 1.0, section 3.1.2.
        let tail_doorbell = regs::DOORBELLS + 2 * number as usize * stride;

        Ok(Self {
            regs,
            submissions: Coherent::zeroed_slice(dma, entries, GFP_KERNEL)?,
            completions: Coherent::zeroed_slice(dma, entries, GFP_KERNEL)?,
            tail_doorbell,
            head_doorbell: tail_doorbell + stride,
            tail: 0,
            head: 0,
            phase: 1,
        })
    }

    fn entries(&self) -> usize {
        self.submissions.len()
    }

    /// Begins anew, with a controller that has forgotten the queues.
    fn restart(&mut self) -> Result {
        // The phase of none is the first one.
        for number in 0..self.completions.len() {
            io_project!(self.completions, [try: number]).copy_write(Completion::default());
        }
        self.tail = 0;
        self.head = 0;
        self.phase = 1;
        Ok(())
    }

    /// Writes a command to the queue. At most one less than it has entries may be under way.
    fn submit(&mut self, id: u16, command: &Command) -> Result {
        io_project!(self.submissions, [try: self.tail]).copy_write(command.with_identifier(id));
        self.tail = after(self.tail, self.entries());
        Ok(())
    }

    /// Tells the controller what was submitted.
    fn ring(&self) -> Result {
        // What was read of buffers is not to be read later, when the controller writes to them.
        dma_mb(Full);

        // This orders the writes of the entries before that of the register.
        self.regs.try_write32(self.tail as u32, self.tail_doorbell)
    }

    /// Takes a completion, if there is one; Base, section 3.3.3.2.
    fn take(&mut self) -> Result<Option<Done>> {
        let entry = io_project!(self.completions, [try: self.head]);
        let status = io_read!(entry, .status).to_cpu();
        if status & 1 != self.phase {
            return Ok(None);
        }

        // The rest of the entry is to be read after the phase, and so is the data.
        dma_mb(Read);
        let id = io_read!(entry, .command).to_cpu();
        let result = io_read!(entry, .result).to_cpu();

        self.head = after(self.head, self.entries());
        if self.head == 0 {
            self.phase ^= 1;
        }

        // Base, section 3.3.3.2.1: status code type and status code.
        let status = status >> 1;
        let result = if status & 0x7ff == 0 {
            Ok(result)
        } else {
            pr_err!(
                "a command failed: status code type {:#x}, code {:#04x}\n",
                (status >> 8) & 0x7,
                status & 0xff
            );
            Err(EIO)
        };
        Ok(Some(Done { id, result }))
    }

    /// Tells the controller which completions were taken.
    fn release(&self) -> Result {
        // The entries were read before the controller may write new ones.
        dma_mb(Full);
        self.regs.try_write32(self.head as u32, self.head_doorbell)
    }

    /// Has one command done, and waits for it.
    fn run(&mut self, command: &Command) -> Result<u32> {
        self.submit(0, command)?;
        self.ring()?;

        let start = Ktime::ktime_get();
        loop {
            // Before looking, lest a completion be missed because this thread did not run.
            let late = ktime_ms_delta(Ktime::ktime_get(), start) > i64::from(TIMEOUT);

            if let Some(done) = self.take()? {
                self.release()?;
                return done.result;
            }
            if late {
                pr_err!("a command timed out\n");
                return Err(if self.regs.read32(regs::CSTS) == GONE {
                    ENODEV
                } else {
                    ETIMEDOUT
                });
            }
            fsleep(Delta::from_micros(20));
        }
    }
}

/// Lists of pages; Base, section 4.1.1.
type Lists<'bound> = Arc<Pool<'bound, [Le64]>>;

/// Memory that the controller reads blocks into, for one transfer at a time.
struct Buffer<'bound> {
    words: SGTable<Owned<'bound, VVec<Le64>, FromDevice>>,
    /// What a command says of it.
    prps: (u64, u64),
    /// If it has more than two pages, this is where `prps` says that they are.
    list: Option<PoolCoherent<Lists<'bound>>>,
    /// The transfer that is under way.
    transfer: Option<u64>,
}

impl<'bound> Buffer<'bound> {
    /// A list has all pages of the largest buffer but the first: 2040 bytes. If it crossed the end
    /// of a page, the entry there would have to say where it goes on. So the pool may not let it.
    const LIST_LEN: usize = LARGEST / PAGE_SIZE - 1;

    fn lists(dma: Dma<'bound>) -> Result<Lists<'bound>> {
        const ENTRY: usize = core::mem::size_of::<u64>();
        let pool = Pool::new_slice(dma, c"PRP lists", Self::LIST_LEN, ENTRY, PAGE_SIZE)?;
        Ok(Arc::new(pool, GFP_KERNEL)?)
    }

    fn new(dma: Dma<'bound>, lists: &Lists<'bound>, size: usize) -> Result<Self> {
        let words = VVec::from_elem(
            Le64::default(),
            size / core::mem::size_of::<u64>(),
            GFP_KERNEL,
        )?;
        let words = SGTable::new(dma, words, GFP_KERNEL)?;

        let mut pages = KVec::new();
        for segment in words.iter() {
            let start = segment.dma_address();
            let end = start + segment.dma_len();
            for page in (start..end).step_by(PAGE_SIZE) {
                pages.push(page, GFP_KERNEL)?;
            }
        }

        // The memory begins at the begin of a page, and was mapped as it is.
        if pages.iter().any(|page| page % PAGE_SIZE as u64 != 0) {
            return Err(EIO);
        }

        let (prps, list) = match pages[..] {
            [first] => ((first, 0), None),
            [first, second] => ((first, second), None),
            [first, ref others @ ..] => {
                let mut list = PoolBox::zeroed(lists.clone(), GFP_KERNEL)?;
                for (number, page) in others.iter().enumerate() {
                    *list.get_mut(number).ok_or(EINVAL)? = Le64::from_cpu(*page);
                }
                let list = list.share();
                ((first, list.dma_address()), Some(list))
            }
            [] => return Err(EINVAL),
        };
        Ok(Self {
            words,
            prps,
            list,
            transfer: None,
        })
    }

    /// Frees it: at once if nothing is under way, or else when the controller can't reach it.
    fn free(self) {
        if self.transfer.is_some() {
            return;
        }

        // SAFETY: For each command with this buffer, the entry of its completion was read, with
        // the phase (bit 0 of the status) that says that it is new. The controller writes it after
        // the data, and is then through with the command; Base, section 3.3.3.2.
        drop(unsafe { self.words.unmap() });

        if let Some(list) = self.list {
            // SAFETY: As above: the completion was read of each command that the list was for.
            unsafe { list.free() };
        }
    }

    /// The checksum of what was read from `place` in the namespace.
    fn checksum(&mut self, place: u64) -> Result<u64> {
        let first = place / core::mem::size_of::<u64>() as u64;
        let words = self.words.for_cpu();
        let mut copy = [Le64::default(); 64];
        let mut sum = 0u64;

        // The smallest transfer is as many words.
        for start in (0..words.len()).step_by(copy.len()) {
            io_project!(&words, [try: start..start + copy.len()]).copy_to_slice(&mut copy);
            for (number, word) in Iterator::zip(first + start as u64.., &copy) {
                let factor = 2 * number + 1;
                sum = sum.wrapping_add(word.to_cpu().wrapping_mul(factor));
            }
        }
        Ok(sum)
    }
}

/// What a controller can do, Base, section 3.1.3.1.
#[derive(Clone, Copy)]
struct Capabilities(u64);

impl Capabilities {
    fn read(regs: &Registers<'_>) -> Self {
        // Two accesses, which is allowed: 32-bit CPUs have no other.
        let low = regs.read32(regs::CAP);
        let high = regs.read32(regs::CAP + 4);
        Self(u64::from(low) | (u64::from(high) << 32))
    }

    /// The most entries of an I/O queue.
    fn queue_entries(self) -> usize {
        (self.0 & 0xffff) as usize + 1
    }

    /// The time that it may take to become ready, or not ready.
    fn timeout(self) -> Msecs {
        (((self.0 >> 24) & 0xff) as Msecs + 1) * 500
    }

    /// The distance between doorbells.
    fn stride(self) -> usize {
        4 << ((self.0 >> 32) & 0xf)
    }

    /// It knows the NVM command set.
    fn has_nvm(self) -> bool {
        (self.0 >> 37) & 1 != 0
    }

    /// The size of the smallest page.
    fn page_size(self) -> usize {
        4096 << ((self.0 >> 48) & 0xf)
    }
}

/// A namespace that can be read.
#[derive(Clone, Copy)]
struct Namespace {
    id: u32,
    /// In bytes.
    size: u64,
    /// log2 of the size of a logical block.
    shift: u32,
}

/// One way to read a namespace.
#[derive(Clone, Copy)]
struct Pass {
    namespace: Namespace,
    /// Bytes of a transfer.
    size: usize,
    transfers: u64,
    random: bool,
    readers: usize,
}

impl Pass {
    /// The command for a transfer to a buffer; NVM, section 3.2.4.
    fn command(&self, transfer: u64, prps: (u64, u64)) -> Command {
        let block = self.place(transfer) >> self.namespace.shift;
        let blocks = (self.size >> self.namespace.shift) as u32;
        Command {
            opcode: opcode::READ,
            namespace: self.namespace.id,
            prps,
            dwords: [block as u32, (block >> 32) as u32, blocks - 1],
        }
    }

    /// Returns where the transfer `number` begins. Each place comes once.
    fn place(&self, number: u64) -> u64 {
        let transfer = if self.random {
            shuffle(number, self.transfers)
        } else {
            number
        };
        transfer * self.size as u64
    }
}

/// Maps the numbers below `count` to themselves, in a random order that is always the same.
fn shuffle(mut number: u64, count: u64) -> u64 {
    let mask = count.next_power_of_two() - 1;
    let shift = mask.count_ones() / 2 + 1;
    loop {
        // Each step can be undone, within the mask. So repeating this leads back to a number below
        // `count`, at the latest to that which it began with.
        number = number.wrapping_mul(0x9e37_79b1) & mask;
        number ^= number >> shift;
        number = number.wrapping_mul(0x85eb_ca6b).wrapping_add(1) & mask;
        if number < count {
            return number;
        }
    }
}

/// One of those that read at the same time: a pair of queues, with an interrupt.
#[pin_data]
struct Reader<'bound> {
    #[pin]
    work: Mutex<Work<'bound>>,
    /// Completed when there is nothing left to do.
    #[pin]
    done: sync::Completion,
}

struct Work<'bound> {
    queue: Queue<'bound>,
    /// Here, and not in local variables, they stay until the controller does not use them any more,
    /// even if something fails. The number of one is the identifier of its command.
    buffers: KVec<Buffer<'bound>>,
    pass: Option<Pass>,
    /// The next transfer of this reader.
    next: u64,
    under_way: usize,
    finished: u64,
    sum: Result<u64>,
}

impl<'bound> Reader<'bound> {
    fn new(
        dma: Dma<'bound>,
        regs: Arc<Registers<'bound>>,
        number: u32,
        entries: usize,
        stride: usize,
    ) -> impl PinInit<Self, Error> + 'bound {
        pin_init_scope(move || {
            let work = Work {
                queue: Queue::new(dma, regs, IO_QUEUE + number, entries, stride)?,
                buffers: KVec::new(),
                pass: None,
                next: 0,
                under_way: 0,
                finished: 0,
                sum: Ok(0),
            };
            Ok(try_pin_init!(Self {
                work <- new_mutex!(work),
                done <- sync::Completion::new(),
            }))
        })
    }

    /// Makes buffers of one size.
    fn prepare(&self, dma: Dma<'bound>, lists: &Lists<'bound>, size: usize) -> Result {
        let mut work = self.work.lock();
        work.free_buffers();

        let count = BATCH.min(BATCH_SIZE / size).min(work.queue.entries() - 1);
        for _ in 0..count {
            let buffer = Buffer::new(dma, lists, size)?;
            work.buffers.push(buffer, GFP_KERNEL)?;
        }
        Ok(())
    }

    /// Begins to read its share, every so many transfers; the thread goes on with it.
    fn begin(&self, pass: &Pass, number: usize) -> Result {
        let mut work = self.work.lock();
        work.pass = Some(*pass);
        work.next = number as u64;
        work.sum = Ok(0);
        for id in 0..work.buffers.len() {
            work.submit(id)?;
        }
        work.queue.ring()?;
        self.end(&mut work);
        Ok(())
    }

    /// If the share was read, says so.
    fn end(&self, work: &mut Work<'_>) {
        if work.pass.is_some() && work.under_way == 0 {
            work.pass = None;
            self.done.complete();
        }
    }

    /// Waits until the share was read, and returns the sum.
    fn wait(&self) -> Result<u64> {
        let mut finished = None;
        while self
            .done
            .wait_for_completion_timeout(msecs_to_jiffies(TIMEOUT))
            .is_err()
        {
            let mut work = self.work.lock();
            if work.pass.is_some() && finished == Some(work.finished) {
                pr_err!("{} commands timed out\n", work.under_way);

                // The controller may answer later; what it writes to is kept as long.
                work.pass = None;
                work.free_buffers();
                return Err(ETIMEDOUT);
            }
            finished = Some(work.finished);
        }
        self.work.lock().sum
    }
}

impl Work<'_> {
    fn free_buffers(&mut self) {
        for buffer in core::mem::replace(&mut self.buffers, KVec::new()) {
            buffer.free();
        }
    }

    /// Submits the next transfer, if there is one left, with the buffer `id`.
    fn submit(&mut self, id: usize) -> Result {
        let Some(pass) = self.pass else {
            return Ok(());
        };
        if self.next >= pass.transfers || self.sum.is_err() {
            return Ok(());
        }

        let buffer = self.buffers.get_mut(id).ok_or(EINVAL)?;
        let command = pass.command(self.next, buffer.prps);
        self.queue.submit(id as u16, &command)?;
        buffer.transfer = Some(self.next);
        self.next += pass.readers as u64;
        self.under_way += 1;
        Ok(())
    }

    /// Takes what is completed, and has the buffers filled again.
    fn reap(&mut self) -> Result {
        let mut any = false;
        while let Some(done) = self.queue.take()? {
            any = true;
            let Some(pass) = self.pass else {
                // It came too late.
                continue;
            };

            let id = usize::from(done.id);
            let Some((buffer, transfer)) = self
                .buffers
                .get_mut(id)
                .and_then(|buffer| buffer.transfer.take().map(|transfer| (buffer, transfer)))
            else {
                pr_err!("completion of command {id}, which is not under way\n");
                return Err(EIO);
            };
            self.under_way -= 1;
            self.finished += 1;

            let sum = done
                .result
                .and_then(|_| buffer.checksum(pass.place(transfer)));
            self.sum = match (self.sum, sum) {
                (Ok(all), Ok(sum)) => Ok(all.wrapping_add(sum)),
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            self.submit(id)?;
        }
        if any {
            self.queue.release()?;
            self.queue.ring()?;
        }
        Ok(())
    }
}

impl ThreadedHandler for Reader<'_> {
    // In a thread alone: it comes by a message, and is of this queue.
    fn handle_threaded(&self) -> IrqReturn {
        let mut work = self.work.lock();
        if let Err(error) = work.reap() {
            // What is under way stays so, and is waited for.
            work.sum = Err(error);
        }
        self.end(&mut work);
        IrqReturn::Handled
    }
}

struct RustDmaNvme;

#[pin_data]
struct Nvme<'bound> {
    regs: Arc<Registers<'bound>>,
    capabilities: Capabilities,
    dma: Dma<'bound>,
    #[pin]
    admin: Mutex<Queue<'bound>>,
    /// What the controller says of itself and the namespaces.
    #[pin]
    identity: Mutex<Mapping<'bound, PageBox, FromDevice>>,
    lists: Lists<'bound>,
    vectors: pci::IrqVectorRegistration<'bound>,
    #[pin]
    readers: [Reader<'bound>; READERS],
}

// Only those of QEMU: this module may be loaded for whatever is in the table, and a system may have
// been booted from that.
const DEVICE: pci::DeviceId = pci::DeviceId::from_class_and_vendor(
    pci::Class::STORAGE_EXPRESS,
    pci::ClassMask::Full,
    pci::Vendor::REDHAT,
);

kernel::pci_device_table!(TABLE, (), [(DEVICE, ())]);

impl pci::Driver for RustDmaNvme {
    type IdInfo = ();
    type Data<'bound> = Nvme<'bound>;

    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Nvme<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            dev.enable_device_mem()?;
            let regs: Registers<'bound> = dev.iomap_region_sized(0, c"rust_dma_nvme")?;

            if regs.read32(regs::CSTS) == GONE {
                return Err(ENODEV);
            }
            let capabilities = Capabilities::read(&regs);
            if !capabilities.has_nvm() {
                dev_err!(dev, "not for the NVM command set\n");
                return Err(ENODEV);
            }
            if capabilities.page_size() > PAGE_SIZE {
                dev_err!(dev, "has no pages of {PAGE_SIZE} bytes\n");
                return Err(ENODEV);
            }
            let entries = capabilities.queue_entries().min(IO_ENTRIES);
            if entries < 2 {
                return Err(ENODEV);
            }

            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<64>())?;
            // Where memory has to be copied for the device, pages are to become pages.
            setup.set_min_align(PAGE_SIZE as u32)?;
            let dma = setup.finish()?;

            let messages = IrqTypes::default().with(IrqType::Msi).with(IrqType::MsiX);
            let most = FIRST_VECTOR + READERS as u32;
            let vectors = dev.alloc_irq_vectors(FIRST_VECTOR + 1, most, messages)?;

            let stride = capabilities.stride();
            let regs = Arc::new(regs, GFP_KERNEL)?;
            let admin = Queue::new(dma, regs.clone(), 0, ADMIN_ENTRIES, stride)?;
            let identity = Mapping::new(dma, PageBox::zeroed(GFP_KERNEL)?)?;
            let shared = regs.clone();

            Ok(try_pin_init!(Nvme {
                regs,
                capabilities,
                dma,
                admin <- new_mutex!(admin),
                identity <- new_mutex!(identity),
                lists: Buffer::lists(dma)?,
                vectors,
                readers <- pin_init_array_from_fn(move |number| {
                    Reader::new(dma, shared.clone(), number as u32, entries, stride)
                }),
            }))
        })
    }

    fn start<'data>(dev: &pci::Device<Start<'data>>, nvme: Pin<&'data Nvme<'_>>) -> Result {
        let nvme = nvme.get_ref();
        dev.reset_and_set_master()?;

        let (first, dev_name) = (FIRST_VECTOR as usize, dev.as_ref().name());
        for (number, reader) in Iterator::zip(first..nvme.vectors.len(), &nvme.readers) {
            let vector = nvme.vectors.index(number)?;
            let name = CString::try_from_fmt(fmt!("rust_dma_nvme {dev_name} {number}"))?;
            dev.request_threaded_irq(vector, Flags::SHARED, &name, reader)?;
        }
        nvme.start(dev)
            .inspect_err(|error| dev_err!(dev, "failed: {error:?}\n"))
    }

    fn suspend(dev: &pci::Device<Core<'_>>, nvme: Pin<&Nvme<'_>>) -> Result {
        // Nothing is under way: every command was waited for.
        nvme.disable()
            .inspect_err(|_| dev_err!(dev, "does not stop\n"))
    }

    // After an error, it is called for the reset of the slot, too.
    fn resume(dev: &pci::Device<Start<'_>>, nvme: Pin<&Nvme<'_>>) -> Result {
        dev.reset_and_set_master()?;
        nvme.start_again(dev)
            .inspect_err(|error| dev_err!(dev, "failed after resume: {error:?}\n"))
    }

    fn shutdown(dev: &pci::Device<Core<'_>>, nvme: Pin<&Nvme<'_>>) {
        // The next kernel finds a controller that holds no address.
        if nvme.disable().is_err() {
            dev_err!(dev, "does not stop\n");
        }
    }

    fn unbind<'bound>(dev: &'bound pci::Device<Core<'_>>, nvme: Pin<&Nvme<'bound>>) {
        if nvme.disable().is_err() {
            dev_err!(dev, "does not stop\n");
        }
        dev_info!(dev, "goodbye, {} bytes parked\n", nvme.dma.parked().bytes);
    }

    fn error_detected(
        dev: &pci::Device<Bound>,
        _: Pin<&Nvme<'_>>,
        state: ChannelState,
    ) -> ErsResult {
        dev_info!(dev, "error, channel {state:?}\n");
        match state {
            ChannelState::Normal => ErsResult::CanRecover,
            _ => ErsResult::NeedReset,
        }
    }

    fn error_resume<'data>(dev: &pci::Device<Start<'data>>, _: Pin<&'data Nvme<'_>>) {
        dev_info!(dev, "recovered\n");
    }
}

impl Nvme<'_> {
    /// Stops the controller, which forgets its queues; Base, section 3.7.2.
    fn disable(&self) -> Result {
        let cc = self.regs.read32(regs::CC);
        if cc == GONE {
            return Err(ENODEV);
        }
        // Nothing is said of what happens to one that is stopped before it is ready.
        if cc & regs::CC_EN != 0 {
            let _ = self.wait_ready(true);
        }
        self.regs.write32(cc & !regs::CC_EN, regs::CC);
        self.wait_ready(false)
    }

    /// Tells the controller of the admin queues, and starts it; Base, section 3.5.1.
    fn enable(&self) -> Result {
        let entries = ADMIN_ENTRIES as u32 - 1;
        self.regs.write32((entries << 16) | entries, regs::AQA);
        {
            let admin = self.admin.lock();
            self.write64(admin.submissions.dma_address(), regs::ASQ);
            self.write64(admin.completions.dma_address(), regs::ACQ);
        }

        // With 0 in the other fields, pages have 4096 bytes.
        self.regs
            .write32(regs::CC_IOSQES | regs::CC_IOCQES | regs::CC_EN, regs::CC);
        self.wait_ready(true)
    }

    /// Two accesses, since 32-bit CPUs have no other.
    fn write64(&self, value: u64, offset: usize) {
        // `offset` is one of the constants above, so these are within the registers.
        let _ = self.regs.try_write32(value as u32, offset);
        let _ = self.regs.try_write32((value >> 32) as u32, offset + 4);
    }

    fn wait_ready(&self, ready: bool) -> Result {
        let start = Ktime::ktime_get();
        loop {
            let late =
                ktime_ms_delta(Ktime::ktime_get(), start) > i64::from(self.capabilities.timeout());
            let status = self.regs.read32(regs::CSTS);
            if status == GONE {
                return Err(ENODEV);
            }
            if (status & regs::CSTS_RDY != 0) == ready {
                return Ok(());
            }
            if ready && status & regs::CSTS_CFS != 0 {
                return Err(EIO);
            }
            if late {
                return Err(ETIMEDOUT);
            }
            fsleep(Delta::from_millis(1));
        }
    }

    /// Brings the controller up, and reads.
    fn start(&self, dev: &pci::Device) -> Result {
        let Some((namespace, most, readers)) = self.bring_up(dev)? else {
            return Ok(());
        };
        self.read_passes(dev, namespace, most, readers)
    }

    /// The same, after the system was suspended: reads in order, and with all that can read at the
    /// same time.
    fn start_again(&self, dev: &pci::Device) -> Result {
        for reader in &self.readers {
            reader.work.lock().queue.restart()?;
        }
        self.admin.lock().restart()?;

        let Some((namespace, most, readers)) = self.bring_up(dev)? else {
            return Ok(());
        };
        for size in [SMALLEST.max(1 << namespace.shift), most] {
            let transfers = (namespace.size.min(EXTENT) / size as u64).min(TRANSFERS);
            if transfers == 0 {
                break;
            }
            for reader in &self.readers[..readers] {
                reader.prepare(self.dma, &self.lists, size)?;
            }
            let sum = self.read_pass(&Pass {
                namespace,
                size,
                transfers,
                random: false,
                readers,
            })?;
            dev_info!(
                dev,
                "after resume: read {} bytes, {size} a transfer: checksum {sum:016x}\n",
                transfers * size as u64,
            );
        }
        Ok(())
    }

    /// Returns the namespace to read, the most bytes of a transfer, and how many can read at the
    /// same time; nothing, if there is no such namespace.
    fn bring_up(&self, dev: &pci::Device) -> Result<Option<(Namespace, usize, usize)>> {
        // It was reset, but may not be done with that.
        self.disable()?;
        self.enable()?;

        let most = self.identify_controller(dev)?;
        let Some(namespace) = self.identify_namespaces(dev)? else {
            dev_info!(dev, "no namespace that this driver can read\n");
            return Ok(None);
        };
        Ok(Some((namespace, most, self.create_io_queues()?)))
    }

    /// Has the controller fill `identity`, and returns a copy.
    fn identify(&self, what: u32, namespace: u32) -> Result<KVec<u8>> {
        let mut copy = KVec::from_elem(0, IDENTIFY_SIZE, GFP_KERNEL)?;
        let mut identity = self.identity.lock();
        self.admin.lock().run(&Command {
            opcode: opcode::IDENTIFY,
            namespace,
            // One page.
            prps: (identity.dma_address(), 0),
            dwords: [what, 0, 0],
        })?;

        identity
            .for_cpu_bytes(0..IDENTIFY_SIZE)?
            .copy_to_slice(&mut copy);
        Ok(copy)
    }

    /// Says what the controller is, and returns the most bytes that a transfer may have; Base,
    /// section 5.17.2.1.
    fn identify_controller(&self, dev: &pci::Device) -> Result<usize> {
        let identity = self.identify(cns::CONTROLLER, 0)?;
        let version = self.regs.read32(regs::VS);
        dev_info!(
            dev,
            "NVMe {}.{}: model \"{}\", serial \"{}\", firmware \"{}\"\n",
            version >> 16,
            (version >> 8) & 0xff,
            Text(&identity[24..64]),
            Text(&identity[4..24]),
            Text(&identity[64..72]),
        );

        // A power of two, in pages; 0 stands for no limit.
        match u32::from(identity[77]) {
            0 => Ok(LARGEST),
            mdts => Ok(1 << (PAGE_SIZE.ilog2() + mdts).min(LARGEST.ilog2())),
        }
    }

    /// Says what namespaces there are, and returns the first one, if it can be read; Base, section
    /// 5.17.2.2, and NVM, section 4.1.5.1.
    fn identify_namespaces(&self, dev: &pci::Device) -> Result<Option<Namespace>> {
        // Controllers older than version 1.1 have no such list, and only number 1 is looked at.
        let list = if self.regs.read32(regs::VS) >= 0x1_0100 {
            self.identify(cns::ACTIVE_NAMESPACES, 0)?
        } else {
            let mut list = KVec::from_elem(0, IDENTIFY_SIZE, GFP_KERNEL)?;
            list[0] = 1;
            list
        };

        let mut first = None;
        for (number, id) in list.chunks_exact(4).enumerate() {
            let id = le32(id);
            if id == 0 {
                break;
            }

            let identity = self.identify(cns::NAMESPACE, id)?;
            let blocks = le64(&identity[0..8]);
            let formats = identity[25];
            let mut format = usize::from(identity[26] & 0xf);
            if formats > 15 {
                format |= usize::from((identity[26] >> 5) & 0x3) << 4;
            }
            let format = le32(&identity[128 + 4 * format..][..4]);
            let (metadata, shift) = (format & 0xffff, (format >> 16) & 0xff);

            let Some(size) = blocks
                .checked_shl(shift)
                .filter(|size| size >> shift == blocks)
            else {
                dev_err!(dev, "namespace {id}: impossible size\n");
                return Err(EIO);
            };
            dev_info!(
                dev,
                "namespace {id}: {size} bytes in blocks of {}\n",
                1u64 << shift
            );

            // With metadata the blocks would have other sizes, or need a second buffer.
            if number == 0 && size != 0 && metadata == 0 && shift >= SMALLEST.ilog2() {
                first = Some(Namespace { id, size, shift });
            }
        }
        Ok(first)
    }

    /// Makes a pair of queues for each reader, and returns how many there are; Base, sections
    /// 5.27.1.5, 5.4 and 5.5.
    fn create_io_queues(&self) -> Result<usize> {
        let mut admin = self.admin.lock();

        // All numbers are one less than what they stand for.
        let most = self.vectors.len() as u32 - FIRST_VECTOR - 1;
        let granted = admin.run(&Command {
            opcode: opcode::SET_FEATURES,
            dwords: [FEATURE_QUEUES, (most << 16) | most, 0],
            ..Command::default()
        })?;
        let count = most.min(granted & 0xffff).min(granted >> 16) + 1;

        const CONTIGUOUS: u32 = 1 << 0;
        const INTERRUPTS: u32 = 1 << 1;
        for (number, reader) in Iterator::zip(0..count, &self.readers) {
            let (queue, vector) = (IO_QUEUE + number, FIRST_VECTOR + number);
            let io = &reader.work.lock().queue;
            let size = (io.entries() as u32 - 1) << 16;

            admin.run(&Command {
                opcode: opcode::CREATE_IO_CQ,
                prps: (io.completions.dma_address(), 0),
                dwords: [size | queue, (vector << 16) | INTERRUPTS | CONTIGUOUS, 0],
                ..Command::default()
            })?;
            admin.run(&Command {
                opcode: opcode::CREATE_IO_SQ,
                prps: (io.submissions.dma_address(), 0),
                dwords: [size | queue, (queue << 16) | CONTIGUOUS, 0],
                ..Command::default()
            })?;
        }
        Ok(count as usize)
    }

    /// Reads the namespace in all ways that it and the controller allow.
    fn read_passes(
        &self,
        dev: &pci::Device,
        namespace: Namespace,
        most: usize,
        readers: usize,
    ) -> Result {
        let smallest = SMALLEST.ilog2().max(namespace.shift);
        let largest = most.trailing_zeros();

        // Nothing is read if even one block is more than a transfer may have, or if the namespace
        // is smaller than a transfer.
        for shift in smallest..=largest {
            let size = 1usize << shift;
            let transfers = (namespace.size.min(EXTENT) >> shift).min(TRANSFERS);
            if transfers == 0 {
                break;
            }

            for reader in &self.readers[..readers] {
                reader.prepare(self.dma, &self.lists, size)?;
            }
            for readers in [1, readers] {
                for random in [false, true] {
                    let pass = Pass {
                        namespace,
                        size,
                        transfers,
                        random,
                        readers,
                    };
                    let sum = self.read_pass(&pass)?;
                    dev_info!(
                        dev,
                        "read {} bytes, {} a transfer, {}, {} at a time: checksum {:016x}\n",
                        transfers << shift,
                        size,
                        if random { "at random" } else { "in order" },
                        readers,
                        sum,
                    );
                }
            }
        }
        dev_info!(dev, "all was read\n");
        Ok(())
    }

    fn read_pass(&self, pass: &Pass) -> Result<u64> {
        let readers = &self.readers[..pass.readers];
        for (number, reader) in readers.iter().enumerate() {
            reader.begin(pass, number)?;
        }
        readers
            .iter()
            .try_fold(0u64, |sum, reader| Ok(sum.wrapping_add(reader.wait()?)))
    }
}

fn le32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, &byte| (value << 8) | u32::from(byte))
}

fn le64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, &byte| (value << 8) | u64::from(byte))
}

/// A string of the controller: ASCII, filled up with spaces.
struct Text<'a>(&'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.0.iter().rposition(|&byte| byte != b' ' && byte != 0);
        for &byte in self.0.iter().take(used.map_or(0, |last| last + 1)) {
            f.write_char(if byte == b' ' || byte.is_ascii_graphic() {
                char::from(byte)
            } else {
                '?'
            })?;
        }
        Ok(())
    }
}

kernel::module_pci_driver! {
    type: RustDmaNvme,
    name: "rust_dma_nvme",
    author: "Seed dfb84e63 maintainers",
    description: "Test of Rust DMA, for NVM Express controllers",
    license: "GPL",
}
