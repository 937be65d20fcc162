// SPDX-License-Identifier: GPL-2.0

//! Cases for the DMA and PCI abstractions, which run in the guest.
//!
//! Each case is an entry of the driver's ID table. `cases.sh` binds the driver to a device once for
//! each, and picks the case by the `driver_data` that it writes to `new_id`. What is printed here,
//! it reads.

use core::sync::atomic::{AtomicBool, Ordering};
use kernel::{
    device::{Bound, Core, Start},
    dma::{self, Coherent, Dma, DmaMask, FromDevice, Mapping, ToDevice},
    init::pin_init_scope,
    pci,
    prelude::*,
    scatterlist::{Owned, Pages, SGTable},
    time::Ktime,
};

/// Ends a case, as failed, unless `$condition` holds.
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            kernel::pr_err!(
                "FAILED: {}:{}: {}\n",
                file!(),
                line!(),
                stringify!($condition)
            );
            return Err(kernel::error::code::EIO);
        }
    };
}

/// The time since boot, in nanoseconds.
fn now() -> i64 {
    Ktime::ktime_get().to_ns()
}

/// How long the device may take for a transfer, in milliseconds.
const TIMEOUT: i64 = 5000;

mod access;
mod bind;
mod coherent;
mod config;
mod edu;
mod foreign;
mod forget;
mod handler;
mod io;
mod irq;
mod lock;
mod order;
mod park;
mod pci_device;
mod pool;
mod recovery;
mod runtime;
mod setup;
mod several;
mod sg;
mod smp;
mod streaming;
mod suspend;
mod thread;
mod timer;
mod wait;
mod work;

use edu::Edu;

/// One case.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    probe: for<'a, 'bound> fn(&mut Test<'a, 'bound>) -> Result,
    start: for<'data, 'bound> fn(&pci::Device<Start<'data>>, &'data Data<'bound>) -> Result,
    unbind: for<'a, 'core, 'bound> fn(&'a pci::Device<Core<'core>>, &'a Data<'bound>) -> Result,
    /// Without, the driver can't.
    suspend:
        Option<for<'a, 'core, 'bound> fn(&'a pci::Device<Core<'core>>, &'a Data<'bound>) -> Result>,
    resume: for<'data, 'bound> fn(&pci::Device<Start<'data>>, &'data Data<'bound>) -> Result,
    shutdown: for<'a, 'core, 'bound> fn(&'a pci::Device<Core<'core>>, &'a Data<'bound>),
    /// Without, the driver can't recover devices.
    error_detected: Option<
        for<'a, 'bound> fn(
            &'a pci::Device<Bound>,
            &'a Data<'bound>,
            pci::ChannelState,
        ) -> pci::ErsResult,
    >,
    slot_reset: for<'data, 'bound> fn(&pci::Device<Start<'data>>, &'data Data<'bound>) -> Result,
    error_resume: for<'data, 'bound> fn(&pci::Device<Start<'data>>, &'data Data<'bound>),
    /// The error with which the initialiser of the data fails, when there is more in it already.
    init: Result,
    /// With what it ends.
    expect: Result,
    /// How many allocations it leaks.
    leaks: usize,
    device: Kind,
}

/// What a case is for: its name, and its IDs.
type Kind = (&'static str, u16, u16);

const EDU: Kind = ("edu", 0x1234, 0x11e8);
const IVSHMEM: Kind = ("ivshmem", 0x1af4, 0x1110);
const TESTDEV: Kind = ("testdev", 0x1b36, 0x0005);
const NVME: Kind = ("nvme", 0x1b36, 0x0010);

/// An `edu` that has a bus of its own.
const SLOT: Kind = ("slot", EDU.1, EDU.2);

const CASE: Case = Case {
    name: "",
    probe: |_| Ok(()),
    start: |_, _| Ok(()),
    unbind: |_, _| Ok(()),
    suspend: None,
    resume: |_, _| Err(EIO),
    shutdown: |_, _| (),
    error_detected: None,
    slot_reset: |_, _| Err(EIO),
    error_resume: |_, _| (),
    init: Ok(()),
    expect: Ok(()),
    leaks: 0,
    device: EDU,
};

/// In the table it is this one, and not the macro's.
const LEN: usize = 0;

/// An ID of no device, which only `driver_data` picks from. `edu` is of that vendor, and of another
/// class.
const NONE: pci::DeviceId = pci::DeviceId::from_class_and_vendor(
    pci::Class::STORAGE_EXPRESS,
    pci::ClassMask::Full,
    pci::Vendor::from_raw(EDU.1),
);

macro_rules! cases {
    (
        { $($module:ident: $($name:ident $({ $($field:ident: $value:expr),* })?),* $(,)?;)* }
        start { $($start_module:ident: $($start:ident $({ $($start_field:ident: $start_value:expr),* })?),* $(,)?;)* }
        { $($last_module:ident: $($last:ident $({ $($last_field:ident: $last_value:expr),* })?),* $(,)?;)* }
    ) => {
        kernel::pci_device_table!(TABLE, Case, [
            $($((NONE, Case {
                name: concat!(stringify!($module), "::", stringify!($name)),
                probe: $module::$name,
                $($($field: $value,)*)?
                ..CASE
            }),)*)*
            $($((NONE, Case {
                name: concat!(stringify!($start_module), "::", stringify!($start)),
                probe: |test| test.prepare(),
                start: $start_module::$start,
                $($($start_field: $start_value,)*)?
                ..CASE
            }),)*)*
            $($((NONE, Case {
                name: concat!(stringify!($last_module), "::", stringify!($last)),
                probe: $last_module::$last,
                $($($last_field: $last_value,)*)?
                ..CASE
            }),)*)*
        ]);
    };
}

cases! {
    {
        bind: plain { start: bind::plain_start }, busy { start: bind::busy_start },
            other { start: bind::other_start, unbind: bind::other_unbind };
        suspend: message { start: suspend::started, suspend: Some(suspend::suspended),
                resume: suspend::resumed, unbind: suspend::unbind },
            line { start: suspend::started, suspend: Some(suspend::suspended),
                resume: suspend::resumed, unbind: suspend::unbind },
            busy { start: suspend::started, suspend: Some(suspend::busy_suspended),
                unbind: suspend::busy_unbind },
            stopped { start: suspend::started, suspend: Some(suspend::stopped_suspended),
                resume: suspend::resumed, unbind: suspend::unbind },
            resume_fails { start: suspend::started, suspend: Some(suspend::suspended),
                resume: suspend::resume_fails_resumed, unbind: suspend::resume_fails_unbind },
            shut_down { start: suspend::started, shutdown: suspend::shut_down_at_last },
            late { start: suspend::late_started, suspend: Some(suspend::late_suspended),
                resume: suspend::late_resumed, unbind: suspend::late_unbind };
        recovery: fatal { start: recovery::started, error_detected: Some(recovery::frozen),
                slot_reset: recovery::reset, error_resume: recovery::resumed, unbind: recovery::unbind },
            line { start: recovery::started, error_detected: Some(recovery::frozen),
                slot_reset: recovery::reset, error_resume: recovery::resumed, unbind: recovery::unbind },
            goes_on { start: recovery::started, error_detected: Some(recovery::optimistic),
                slot_reset: recovery::reset, error_resume: recovery::resumed, unbind: recovery::unbind },
            not_reset { start: recovery::started, error_detected: Some(recovery::normal),
                slot_reset: recovery::claimed, error_resume: recovery::resumed,
                unbind: recovery::unbind },
            fails { start: recovery::started, error_detected: Some(recovery::frozen),
                slot_reset: recovery::reset_fails, error_resume: recovery::resumed,
                unbind: recovery::fails_unbind },
            gives_up { start: recovery::started, suspend: Some(suspend::suspended),
                resume: suspend::resumed, error_detected: Some(recovery::pessimistic),
                slot_reset: recovery::reset, error_resume: recovery::resumed,
                unbind: recovery::gives_up_unbind },
            unable { start: recovery::started, unbind: recovery::unbind };
        runtime: in_use { start: runtime::started, suspend: Some(runtime::suspended),
                resume: runtime::resumed, unbind: runtime::unbind },
            not_asked_for { start: runtime::not_asked_for_started, suspend: Some(runtime::not_asked_for_suspended),
                resume: runtime::not_asked_for_resumed, unbind: runtime::not_asked_for_unbind },
            start_fails { start: runtime::start_fails_start, expect: Err(EBUSY) };
        pci_device: ids { leaks: LEN }, contexts, references, printing, resources, enable, bar_not_enabled,
            bar_missing, bar_size, bar_twice, bar_read;
        config: space, capabilities, master, extended { device: NVME };
        io: edu, edu_range, memory { device: IVSHMEM }, memory_range { device: IVSHMEM },
            memory_fields { device: IVSHMEM }, ports { device: TESTDEV },
            port_bar { device: TESTDEV };
        setup: masks_missing, masks_half, masks_other_half, masks, masks_too_small, masks_in_turn, required,
            segments_changed, segments_copied, segments_default, segments_wrong, min_align, numbers,
            once, once_dropped;
        coherent: sizes, zeroed_again, nothing, too_much, largest, huge, flags, attributes, addresses,
            boxes, box_init, box_slices, handles, handles_wrong, exhausted,
            moves_bytes { start: coherent::moves_bytes_start },
            moves_values { start: coherent::moves_values_start },
            moves_handle { start: coherent::moves_handle_start },
            moves_with_attributes { start: coherent::moves_with_attributes_start };
        access: words, byte_order, fields, indices, index_once, copies, copies_range, values, barriers,
            volatile { start: access::volatile_start };
        order: drops { start: order::drops_start, unbind: order::drops_unbind },
            probe_fails { expect: Err(ENODEV) },
            init_fails { init: Err(ENOSPC), expect: Err(ENOSPC) },
            start_fails { start: order::start_fails_start, unbind: order::start_fails_unbind, expect: Err(EBUSY) },
            muted_when_removed { start: order::muted_start },
            muted_when_start_fails { start: order::muted_start_fails, expect: Err(EBUSY) },
            not_mastering { start: order::not_mastering_start },
            reset_refused { start: order::reset_refused_start },
            reset { start: order::reset_start, device: SLOT },
            reset_function { start: order::reset_function_start, device: NVME };
        smp: words, copies, allocations, device { start: smp::device_start };
        wait: one_by_one, all, others, polls;
        lock: order, tried, shared { start: lock::shared_start };
        irq: vectors, vectors_spinlock,
            messages { start: irq::counted }, pin { start: irq::counted },
            threaded { start: irq::threaded_start },
            wrong { start: irq::wrong_start }, named { start: irq::named_start },
            synchronized { start: irq::synchronized_start, unbind: irq::synchronized_unbind },
            start_fails { start: irq::start_fails_start, expect: Err(EBUSY) },
            spurious { start: irq::spurious_start }, transfer { start: irq::transfer_start },
            raising { start: irq::raising_start, unbind: irq::raising_unbind },
            disabled { start: irq::disabled_start }, polled { start: irq::polled_start },
            line { start: irq::line_start },
            several { start: irq::several_start, device: NVME },
            hinted { start: irq::hinted_start, device: NVME },
            spread { start: irq::spread_start, device: NVME };
        work: runs { start: work::runs_start },
            again { start: work::again_start, unbind: work::again_unbind },
            start_fails { start: work::start_fails_start, unbind: work::again_unbind, expect: Err(EBUSY) },
            interrupt { start: work::interrupt_start };
        thread: runs { start: thread::runs_start }, ends { start: thread::ends_start },
            again { start: thread::again_start, unbind: thread::again_unbind },
            start_fails { start: thread::start_fails_start, unbind: thread::again_unbind, expect: Err(EBUSY) };
        timer: runs { start: timer::runs_start },
            again { start: timer::again_start, unbind: timer::again_unbind },
            start_fails { start: timer::start_fails_start, unbind: timer::again_unbind, expect: Err(EBUSY) };
        sg: limits, limits_too_small, cleared;
        pool: kept;
        park: probe { start: park::probe_start, unbind: park::probe_unbind },
            taken_back { start: park::taken_back_start, unbind: park::taken_back_unbind };
        handler: running { start: handler::running_start },
            quiesced { start: handler::quiesced_start, unbind: handler::quiesced_unbind };
    }
    // These are a `start` alone.
    start {
        streaming: lengths, largest, ranges, moves, again, part, values, leaked_guard, dropped,
            in_flight, exhausted, noncoherent;
        sg: wrong, lengths, moves, again, dropped, ranges;
        pool: wrong, objects, atomic, moves;
        park: answers_late, object_late, freed, times_out, guards,
            start_fails { expect: Err(EBUSY), unbind: park::start_fails_unbind };
        foreign: buffer, table, gone;
        handler: spinlock;
        config: mastering;
    }
    {
        forget: nothing_so_far, setup, bar, coherent { leaks: 1 }, coherent_again { start: forget::again_start },
            boxes { leaks: 3 }, handle { leaks: 1 }, data { leaks: 2 }, mapping { leaks: 2 },
            table { leaks: 1 }, object { leaks: 1 }, vectors, and_then;
    }
}

/// What a device is bound to that is given to the driver by hand, without a number.
static BY_HAND: Case = Case {
    name: "bind::plain",
    probe: bind::plain,
    start: bind::plain_start,
    ..CASE
};

/// What a case has when it is probed.
struct Test<'core, 'bound> {
    dev: &'bound pci::Device<Core<'core>>,
    kept: Kept<'bound>,
}

impl<'bound> Test<'_, 'bound> {
    /// The set-up. There is one.
    fn setup(&mut self) -> Result<dma::Setup<'bound>> {
        self.dev.dma_setup()
    }

    /// The right to allocate, with a mask of 28 bits.
    fn dma(&mut self) -> Result<Dma<'bound>> {
        let mut setup = self.setup()?;
        setup.set_mask_and_coherent(DmaMask::new::<28>())?;
        setup.finish()
    }

    /// The right to allocate; the device is kept for `start`.
    fn dma_and_edu(&mut self) -> Result<Dma<'bound>> {
        self.kept.edu = Some(Edu::new(self.dev)?);
        self.dma()
    }

    /// Keeps both for `start`.
    fn prepare(&mut self) -> Result {
        self.kept.dma = Some(self.dma_and_edu()?);
        Ok(())
    }
}

/// What a case keeps until the driver is unbound, and drops in this order.
#[derive(Default)]
struct Kept<'bound> {
    first: Option<order::Step>,
    muted: Option<order::Muted<'bound>>,
    counter: Option<irq::Counter<'bound>>,
    never: irq::Never,
    slow: Option<irq::Slow<'bound>>,
    polled: Option<irq::Polled<'bound>>,
    sleeper: Option<suspend::Sleeper<'bound>>,
    told: recovery::Told,
    worker: Option<work::Worker<'bound>>,
    ticker: Option<timer::Ticker<'bound>>,
    runner: Option<thread::Runner<'bound>>,
    user: Option<runtime::User<'bound>>,
    vectors: Option<pci::IrqVectorRegistration<'bound>>,
    shared: Option<lock::Shared<'bound>>,
    edu: Option<Edu<'bound>>,
    dma: Option<Dma<'bound>>,
    bytes: Option<Coherent<'bound, [u8]>>,
    more: KVec<Coherent<'bound, [u8]>>,
    values: Option<coherent::Values<'bound>>,
    flags: Option<Coherent<'bound, access::Flags>>,
    handle: Option<dma::CoherentHandle<'bound>>,
    objects: KVec<pool::Object<'bound>>,
    mapping: Option<Mapping<'bound, KVec<u8>, FromDevice>>,
    table: Option<SGTable<Owned<'bound, Pages, ToDevice>>>,
    nvme: Option<pci::Bar<'bound, 0x38>>,
    taken: Option<park::Takeable<'bound>>,
    hard: Option<handler::Hard<'bound>>,
    second: Option<order::Step>,
}

struct Data<'bound> {
    kept: Kept<'bound>,
    last: Last<'bound>,
}

impl<'bound> Data<'bound> {
    fn edu(&self) -> Result<&Edu<'bound>> {
        self.kept.edu.as_ref().ok_or(EINVAL)
    }

    fn bytes(&self) -> Result<&Coherent<'bound, [u8]>> {
        self.kept.bytes.as_ref().ok_or(EINVAL)
    }

    fn counter(&self) -> Result<&irq::Counter<'bound>> {
        self.kept.counter.as_ref().ok_or(EINVAL)
    }

    fn vector(&self, index: usize) -> Result<pci::IrqVector<'_>> {
        self.kept.vectors.as_ref().ok_or(EINVAL)?.index(index)
    }

    fn dma(&self) -> Result<Dma<'bound>> {
        self.kept.dma.ok_or(EINVAL)
    }

    /// Lets the device access memory.
    fn set_master(&self, dev: &pci::Device<Start<'_>>) -> Result {
        self.edu()?.set_master(dev)
    }

    /// The right to map, and the device, which may access memory from here on.
    fn ready(&self, dev: &pci::Device<Start<'_>>) -> Result<(Dma<'bound>, &Edu<'bound>)> {
        self.set_master(dev)?;
        Ok((self.dma()?, self.edu()?))
    }
}

/// Whether a case asked for an `edu` in a slot, and the next device is one.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Dropped after everything else in the data.
struct Last<'bound>(&'bound Case);

impl<'bound> Last<'bound> {
    fn new(case: &'bound Case) -> Result<Self> {
        case.init?;
        Ok(Self(case))
    }
}

impl Drop for Last<'_> {
    fn drop(&mut self) {
        pr_info!("{}: dropped\n", self.0.name);
    }
}

struct Cases;

/// As a driver that does not say how the device is suspended, or recovered.
struct Unable;

impl pci::Driver for Unable {
    type IdInfo = Case;
    type Data<'bound> = Data<'bound>;

    const ID_TABLE: pci::IdTable<Case> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        info: Option<&'bound Case>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        Cases::probe(dev, info)
    }
}

impl Case {
    /// Compares how a stage ended with how it should; prints the verdict if it was the last.
    fn after(&self, result: Result, last: bool) -> Result {
        let expected = if result.is_ok() && !last {
            return Ok(());
        } else {
            result == self.expect
        };
        if !expected {
            pr_err!(
                "FAILED: {}: {:?} instead of {:?}\n",
                self.name,
                result,
                self.expect
            );
        } else if result.is_ok() {
            pr_info!("{}: ok, leaks {}\n", self.name, self.leaks);
        } else {
            pr_info!("{}: ok, not bound\n", self.name);
        }
        result
    }
}

impl pci::Driver for Cases {
    type IdInfo = Case;
    type Data<'bound> = Data<'bound>;

    const ID_TABLE: pci::IdTable<Case> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        info: Option<&'bound Case>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            let case = info.unwrap_or(&BY_HAND);
            if info.is_none() {
                pr_info!("by hand\n");
            }
            let (kind, vendor, device) = case.device;
            // Which of the devices with the same ID this is, only `cases.sh` knows.
            let wanted = kind != SLOT.0 || ASKED.swap(true, Ordering::Relaxed);
            if (dev.vendor_id().as_raw(), dev.device_id()) != (vendor, device) || !wanted {
                pr_info!("{}: wants {}\n", case.name, kind);
                return Err(ENODEV);
            }
            ASKED.store(false, Ordering::Relaxed);
            pr_info!("{}: begin\n", case.name);
            let mut test = Test {
                dev,
                kept: Kept::default(),
            };
            case.after((case.probe)(&mut test), false)?;
            let kept = test.kept;
            if case.init.is_err() {
                let _ = case.after(case.init, false);
            }
            Ok(kernel::try_init!(Data {
                kept,
                last: Last::new(case)?,
            }))
        })
    }

    fn start<'data, 'bound>(
        dev: &pci::Device<Start<'data>>,
        data: Pin<&'data Data<'bound>>,
    ) -> Result {
        let data = data.get_ref();
        let case = data.last.0;
        case.after((case.start)(dev, data), true)
    }

    fn unbind<'bound>(dev: &'bound pci::Device<Core<'_>>, data: Pin<&Data<'bound>>) {
        let data = data.get_ref();
        if (data.last.0.unbind)(dev, data).is_err() {
            pr_err!("FAILED: {}: unbind\n", data.last.0.name);
        }
        if data.edu().is_ok_and(Edu::is_busy) {
            pr_info!("{}: a transfer is under way\n", data.last.0.name);
        }
    }

    fn suspend<'bound>(dev: &pci::Device<Core<'_>>, data: Pin<&Data<'bound>>) -> Result {
        match data.last.0.suspend {
            Some(suspend) => suspend(dev, data.get_ref()),
            None => Unable::suspend(dev, data),
        }
    }

    fn resume<'data, 'bound>(
        dev: &pci::Device<Start<'data>>,
        data: Pin<&'data Data<'bound>>,
    ) -> Result {
        (data.last.0.resume)(dev, data.get_ref())
    }

    fn shutdown<'bound>(dev: &pci::Device<Core<'_>>, data: Pin<&Data<'bound>>) {
        (data.last.0.shutdown)(dev, data.get_ref());
    }

    fn error_detected<'bound>(
        dev: &pci::Device<Bound>,
        data: Pin<&Data<'bound>>,
        state: pci::ChannelState,
    ) -> pci::ErsResult {
        match data.last.0.error_detected {
            Some(error_detected) => error_detected(dev, data.get_ref(), state),
            None => Unable::error_detected(dev, data, state),
        }
    }

    fn slot_reset<'data, 'bound>(
        dev: &pci::Device<Start<'data>>,
        data: Pin<&'data Data<'bound>>,
    ) -> Result {
        (data.last.0.slot_reset)(dev, data.get_ref())
    }

    fn error_resume<'data, 'bound>(
        dev: &pci::Device<Start<'data>>,
        data: Pin<&'data Data<'bound>>,
    ) {
        (data.last.0.error_resume)(dev, data.get_ref());
    }
}

kernel::module_pci_driver! {
    type: Cases,
    name: "dma_cases",
    author: "Seed dfb84e63 maintainers",
    description: "Cases for the DMA and PCI abstractions",
    license: "GPL",
}
