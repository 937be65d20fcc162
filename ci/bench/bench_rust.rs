// SPDX-License-Identifier: GPL-2.0

//! The benchmarks in Rust: what `bench_c.c` does, as a driver in Rust does it.
//!
//! For `edu`, a PCI device that QEMU emulates. All is measured while the driver is being bound.

#![forbid(unsafe_code)]

use kernel::{
    c_str,
    device::Core,
    dma::{
        self, dma_rmb, dma_wmb, Bidirectional, Coherent, Dma, DmaMask, Mapping, Pool, PoolCoherent,
    },
    dma_read, dma_write, pci,
    prelude::*,
    time::Ktime,
};

const SAMPLES: usize = 5;
const ENTRIES: usize = 256;

const BUFFER: usize = 4096;

const LIVENESS: usize = 0x04;

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
}

struct Ring<'bound> {
    descriptors: Coherent<'bound, [Descriptor; ENTRIES]>,
    /// Descriptors filled so far.
    tail: u32,
}

struct Bench<'bound> {
    dma: Dma<'bound>,
    regs: pci::Bar<'bound, 0xa0>,
    mailbox: Coherent<'bound, Mailbox>,
    ring: Ring<'bound>,
    /// There, but while it is mapped.
    buffer: Option<KVec<u8>>,
    pool: Pool<'bound, [u64; 8]>,
}

#[inline(never)]
fn nothing(_bench: &mut Bench<'_>, _arg: usize) -> Result {
    Ok(())
}

#[inline(never)]
fn alloc(bench: &mut Bench<'_>, size: usize) -> Result {
    Coherent::<[u8]>::zeroed_slice(bench.dma, size, GFP_KERNEL)?;
    Ok(())
}

#[inline(never)]
fn field_read(bench: &mut Bench<'_>, times: usize) -> Result {
    for _ in 0..times {
        times_16!(let _ = dma_read!(bench.mailbox, .status));
    }
    Ok(())
}

#[inline(never)]
fn field_write(bench: &mut Bench<'_>, times: usize) -> Result {
    for _ in 0..times {
        times_16!(dma_write!(bench.mailbox, .command, 1));
    }
    Ok(())
}

fn phase(number: u32) -> u32 {
    !(number / ENTRIES as u32) & 1
}

impl Ring<'_> {
    fn push(&mut self, addr: u64, len: u32) -> Result {
        let at = self.tail as usize % ENTRIES;

        dma_write!(self.descriptors, [at]?.addr, addr);
        dma_write!(self.descriptors, [at]?.len, len);
        dma_wmb();
        dma_write!(self.descriptors, [at]?.flags, phase(self.tail));
        self.tail = self.tail.wrapping_add(1);
        Ok(())
    }

    fn pop(&self, head: &mut u32) -> Result<Option<u32>> {
        let at = *head as usize % ENTRIES;

        if dma_read!(self.descriptors, [at]?.flags) & 1 != phase(*head) {
            return Ok(None);
        }
        dma_rmb();
        let len = dma_read!(self.descriptors, [at]?.len);
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
        buffer = Mapping::<_, Bidirectional>::new(bench.dma, buffer)?.unmap();
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
    bench.buffer = Some(mapping.unmap());
    Ok(())
}

#[inline(never)]
fn pool(bench: &mut Bench<'_>, times: usize) -> Result {
    for _ in 0..times {
        PoolCoherent::zeroed(&bench.pool, GFP_KERNEL)?;
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

static ROWS: [Row; 15] = rows! {
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
    "stream", 16, stream, 16;
    "stream-sync", 1024, stream_sync, 1024;
    "pool", 16, pool, 16;
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

kernel::pci_device_table!(TABLE, (), [(pci::DeviceId::from_id(0x1234, 0x11e8), ())]);

impl pci::Driver for BenchRust {
    type IdInfo = ();
    type Data<'bound> = ();

    const ID_TABLE: pci::IdTable<()> = TABLE;

    fn probe<'bound>(
        dev: &pci::Device<Core<'bound>>,
        _info: &'static (),
        mut dma: dma::Setup<'bound>,
    ) -> Result<impl PinInit<(), Error>> {
        dev.enable_device()?;
        let regs = dev.bound().iomap_region_sized(0, c_str!("bench_rust"))?;
        dma.set_mask_and_coherent(DmaMask::new::<64>())?;
        let dma = dma.finish()?;

        let mut bench = Bench {
            dma,
            regs,
            mailbox: Coherent::zeroed(dma, GFP_KERNEL)?,
            ring: Ring {
                descriptors: Coherent::zeroed(dma, GFP_KERNEL)?,
                tail: 0,
            },
            buffer: Some(KVec::from_elem(0, BUFFER, GFP_KERNEL)?),
            pool: Pool::new(dma, c_str!("bench_rust"), 64, 0)?,
        };
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
