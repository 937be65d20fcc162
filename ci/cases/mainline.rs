// SPDX-License-Identifier: GPL-2.0

//! Cases for what the set for v7.3 has in another shape than that for v6.12: vectors of interrupts,
//! their handlers, writes to configuration space, scatter-gather tables, and what is done when the
//! system is suspended or shut down, a device is not in use, or there was an error of PCI Express.
//!
//! Each binding of a device is the next case. It fails, and so does the binding, where something is
//! not as it should be. With a `case`, all devices are for that one; what happens to them then is
//! up to the test.

use core::{
    mem::forget,
    ptr, //
};
use kernel::{
    cpu::{
        nr_cpu_ids,
        CpuId, //
    },
    device::{
        Bound,
        Core,
        Start, //
    },
    dma::{
        Bidirectional,
        Coherent,
        Device as _,
        Dma,
        DmaAddress,
        DmaMask,
        FromDevice,
        Mapping,
        Parked, //
    },
    io::{
        io_project,
        Io, //
    },
    irq::{
        Flags,
        Handler,
        IrqReturn,
        ThreadedHandler,
        ThreadedIrqReturn, //
    },
    new_mutex, new_spinlock,
    pci::{
        self,
        ChannelState,
        ErsResult,
        IrqType,
        IrqTypes,
        IrqVector,
        IrqVectorRegistration, //
    },
    prelude::*,
    scatterlist::{
        Mapped,
        SGTable, //
    },
    str::CString,
    sync::{
        atomic::{
            ordering,
            Atomic, //
        },
        Completion,
        Mutex, //
    },
    time::{
        delay::fsleep,
        msecs_to_jiffies,
        Delta, //
    },
};
use pin_init::pin_init_scope;

/// Ends a case, as failed, unless `$condition` holds.
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            pr_err!("FAILED: {}: {}\n", line!(), stringify!($condition));
            return Err(EIO);
        }
    };
}

const STATUS: usize = 0x24;
const RAISE: usize = 0x60;
const ACKNOWLEDGE: usize = 0x64;

const COMMAND: usize = 4;
const MASTER: u16 = 4;

struct Cases;

/// Which case is next, of either device.
static EDU_CASE: Atomic<u32> = Atomic::new(0);
static NVME_CASE: Atomic<u32> = Atomic::new(0);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    /// The vectors are refused, allocated, and dropped where they can't be freed.
    Vectors,
    /// They are there again, and are leaked.
    Leaked,
    /// What is refused leaves nothing behind; an interrupt is disabled, and handled later.
    Disabled,
    /// The handler disables the interrupt, somebody else enables it.
    Polled,
    /// Who waits for a thread finds it done.
    Synchronized,
    /// A line is not this device's alone.
    Line,
    /// Data moves to and from memory in pieces.
    Table,
    /// One processor for each vector, by hint.
    Hinted,
    /// The same, by the kernel.
    Spread,
    /// The device is suspended and resumed; it raises its interrupt by message.
    Asleep,
    /// The same, by line.
    AsleepLine,
    /// Who refuses to suspend goes on.
    Busy,
    /// Who has turned mastering off before it refuses is resumed.
    Stopped,
    /// A device that is not resumed stays as it was, and is resumed the next time.
    NotResumed,
    /// Who requests a handler in `resume` turns mastering on before.
    Late,
    /// The device is quiet when the system is shut down.
    ShutDown,
    /// A device is suspended when it is not in use; the one that is bound next uses it.
    Idle,
    /// An NVMe controller is, and is reset when it is in use again.
    IdleReset,
    /// A driver that has not asked for it in `start` can't later.
    NotIdle,
    /// Devices are reset after an error, and go on.
    Recovered,
    /// They go on without, if the error was not fatal.
    GoesOn,
    /// One of them is not brought up after the reset, so that the other one is given up.
    Lost,
    /// They are given up.
    GivenUp,
    /// The driver can't recover devices.
    Unable,
    /// Nor one that could master the bus before there was a copy of its configuration.
    Early,
}

const EDU_CASES: [Case; 7] = [
    Case::Vectors,
    Case::Leaked,
    Case::Disabled,
    Case::Polled,
    Case::Synchronized,
    Case::Line,
    Case::Table,
];
const NVME_CASES: [Case; 2] = [Case::Hinted, Case::Spread];
/// Those that are picked by their number, from 1 on; these first.
const SLEEP_CASES: [Case; 7] = [
    Case::Asleep,
    Case::AsleepLine,
    Case::Busy,
    Case::Stopped,
    Case::NotResumed,
    Case::Late,
    Case::ShutDown,
];
const IDLE_CASES: [Case; 3] = [Case::Idle, Case::IdleReset, Case::NotIdle];
const ERROR_CASES: [Case; 6] = [
    Case::Recovered,
    Case::GoesOn,
    Case::Lost,
    Case::GivenUp,
    Case::Unable,
    Case::Early,
];

fn picked(number: usize) -> Result<Case> {
    let cases = [&SLEEP_CASES[..], &IDLE_CASES, &ERROR_CASES];
    Ok(*cases
        .iter()
        .copied()
        .flatten()
        .nth(number - 1)
        .ok_or(EINVAL)?)
}

#[pin_data(PinnedDrop)]
struct Data<'bound> {
    case: Case,
    dev: &'bound pci::Device<Bound>,
    regs: Option<pci::Bar<'bound, 0xa0>>,
    vectors: Option<IrqVectorRegistration<'bound>>,
    count: Atomic<usize>,
    ended: Atomic<usize>,
    failed: Atomic<usize>,
    sleeper: Option<Sleeper<'bound>>,
    #[pin]
    called: Completion,
    #[pin]
    table: Mutex<Option<SGTable<Mapped<'bound, VVec<u8>, Bidirectional>>>>,
}

const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);
const NVME: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1b36), 0x0010);

kernel::pci_device_table!(TABLE, bool, [(EDU, true), (NVME, false)]);

fn messages() -> IrqTypes {
    IrqTypes::default().with(IrqType::Msi).with(IrqType::MsiX)
}

/// Nothing that is written to configuration space turns on bus mastering; other bits do change.
fn configuration(dev: &pci::Device<Core<'_>>) -> Result {
    const INTX_DISABLE: u16 = 1 << 10;
    let config = dev.config_space();
    let before = config.read16(COMMAND);
    check!(before & MASTER == 0);
    config.write8(0xff, COMMAND);
    config.write16(before | MASTER, COMMAND);
    config.write32(u32::from(before | MASTER), COMMAND);
    check!(config.read16(COMMAND) == before);
    config.write16((before ^ INTX_DISABLE) | MASTER, COMMAND);
    check!(config.read16(COMMAND) == before ^ INTX_DISABLE);
    config.write16(before, COMMAND);
    check!(config.read16(COMMAND) == before);
    Ok(())
}

fn refused(dev: &pci::Device<Core<'_>>, min: u32, max: u32) -> Option<Error> {
    dev.alloc_irq_vectors(min, max, IrqTypes::all()).err()
}

fn vectors(dev: &pci::Device<Core<'_>>) -> Result {
    for (min, max) in [(0, 0), (0, 1), (2, 1), (u32::MAX, 1)] {
        check!(refused(dev, min, max) == Some(EINVAL));
    }
    for min in [2, 33, 2049, i32::MAX as u32 + 1, u32::MAX] {
        check!(refused(dev, min, u32::MAX).is_some());
    }
    for _ in 0..3 {
        let vectors = dev.alloc_irq_vectors(1, u32::MAX, messages())?;
        check!(vectors.len() == 1 && matches!(vectors.irq_type(), IrqType::Msi));
        check!(refused(dev, 1, 1) == Some(EBUSY));
        for index in [1, 2, 2048, usize::MAX] {
            check!(vectors.index(index).err() == Some(EINVAL));
        }
        vectors.index(0)?.synchronize()?;
    }

    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let vectors = dev.alloc_irq_vectors(1, 1, messages())?;
    if cfg!(CONFIG_PREEMPT_COUNT) {
        let guard = lock.lock();
        let held = vectors.index(0)?.synchronize();
        let again = refused(dev, 1, 1);
        drop(vectors);
        drop(guard);
        check!(held == Err(EINVAL));
        check!(again.is_some());
        // They are still there, until the driver is unbound.
        check!(refused(dev, 1, 1) == Some(EBUSY));
    }
    Ok(())
}

impl pci::Driver for Cases {
    type IdInfo = bool;
    type Data<'bound> = Data<'bound>;

    const ID_TABLE: pci::IdTable<bool> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        info: Option<&'bound bool>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            dev.enable_device_mem()?;
            configuration(dev)?;

            let edu = *info.ok_or(EINVAL)?;
            let number = module_parameters::case.value();
            let case = if number != 0 {
                let case = picked(number as usize)?;
                if edu == (case == Case::IdleReset) {
                    return Err(ENODEV);
                }
                case
            } else if edu {
                EDU_CASES[EDU_CASE.fetch_add(1, ordering::Full) as usize % EDU_CASES.len()]
            } else {
                NVME_CASES[NVME_CASE.fetch_add(1, ordering::Full) as usize % NVME_CASES.len()]
            };
            let vectors = match case {
                Case::Vectors => {
                    vectors(dev)?;
                    None
                }
                Case::Leaked => {
                    core::mem::forget(dev.alloc_irq_vectors(1, 1, messages())?);
                    None
                }
                Case::Disabled | Case::Polled | Case::Synchronized => {
                    Some(dev.alloc_irq_vectors(1, 1, messages())?)
                }
                Case::Asleep | Case::NotIdle => Some(dev.alloc_irq_vectors(1, 1, messages())?),
                Case::IdleReset => None,
                Case::Line
                | Case::AsleepLine
                | Case::Busy
                | Case::Stopped
                | Case::NotResumed
                | Case::Late
                | Case::ShutDown
                | Case::Idle
                | Case::Recovered
                | Case::GoesOn
                | Case::Lost
                | Case::GivenUp
                | Case::Unable
                | Case::Early => {
                    let line = IrqTypes::default().with(IrqType::Intx);
                    Some(dev.alloc_irq_vectors(1, 1, line)?)
                }
                Case::Table => None,
                Case::Hinted => Some(dev.alloc_irq_vectors(3, 3, messages())?),
                Case::Spread => {
                    let vectors = dev.alloc_irq_vectors(1, u32::MAX, messages().with_affinity())?;
                    check!(vectors.len() as u32 == nr_cpu_ids());
                    Some(vectors)
                }
            };

            let table = if case == Case::Table {
                let mut setup = dev.dma_setup()?;
                setup.set_mask_and_coherent(DmaMask::new::<28>())?;
                setup.set_max_seg_size(8192)?;
                Some(SGTable::map(setup.finish()?, pattern()?, GFP_KERNEL)?)
            } else {
                None
            };
            let sleeper = if number != 0 {
                Some(Sleeper::new(dev)?)
            } else {
                None
            };
            let regs = if edu {
                Some(dev.iomap_region_sized(0, c"mainline")?)
            } else {
                None
            };

            if case == Case::Early {
                // SAFETY: It gets no address before `start`, and there is no proof.
                unsafe { dev.set_master() };
            }

            Ok(try_pin_init!(Data {
                case,
                dev,
                regs,
                vectors,
                count: Atomic::new(0),
                ended: Atomic::new(0),
                failed: Atomic::new(0),
                sleeper,
                called <- Completion::new(),
                table <- new_mutex!(table),
            }))
        })
    }

    fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        let data = data.get_ref();
        match data.case {
            Case::Vectors | Case::Leaked => Ok(()),
            Case::Disabled => disabled(dev, data),
            Case::Polled => polled(dev, data),
            Case::Synchronized => synchronized(dev, data),
            Case::Line => line(dev, data),
            Case::Table => table(dev, data),
            Case::Hinted => hinted(dev, data),
            Case::Spread => spread(dev, data),
            Case::Late => return set_master(dev),
            Case::Idle => return idle(dev, data),
            Case::IdleReset => return idle_reset(dev, data),
            _ => return awakened(dev, data),
        }?;
        dev_info!(dev, "case {:?}: ok\n", data.case);
        Ok(())
    }

    fn suspend(dev: &pci::Device<Core<'_>>, data: Pin<&Data<'_>>) -> Result {
        let data = data.get_ref();
        match data.case {
            Case::Idle => noted(idled(dev, data), EALREADY),
            Case::IdleReset => noted(data.sleeper().map(|sleeper| sleeper.suspends()), EBUSY),
            _ => noted(suspended(dev, data), EBUSY),
        }
    }

    fn resume<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        let data = data.get_ref();
        let result = match data.case {
            Case::Late => late(dev, data),
            Case::IdleReset => woken_by_reset(dev, data),
            _ => resumed(dev, data),
        };
        noted(result, EALREADY)
    }

    fn shutdown(dev: &pci::Device<Core<'_>>, data: Pin<&Data<'_>>) {
        if data.case == Case::ShutDown && noted(last(data.get_ref()), EBUSY).is_ok() {
            dev_info!(dev, "case ShutDown: ok\n");
        }
    }

    fn error_detected(
        _: &pci::Device<Bound>,
        data: Pin<&Data<'_>>,
        state: ChannelState,
    ) -> ErsResult {
        let data = data.get_ref();
        let meant = noted(detected(data, state), EALREADY);
        match data.case {
            Case::Recovered | Case::Lost | Case::Idle => ErsResult::NeedReset,
            Case::GoesOn => ErsResult::CanRecover,
            Case::GivenUp => ErsResult::Disconnect,
            _ => meant.map_or(ErsResult::NeedReset, |()| ErsResult::NoAerDriver),
        }
    }

    fn slot_reset<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        noted(was_reset(dev, data.get_ref()), EALREADY)
    }

    fn error_resume<'data>(_: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) {
        let _ = noted(goes_on(data.get_ref()), EALREADY);
    }

    fn unbind<'bound>(dev: &'bound pci::Device<Core<'_>>, data: Pin<&Data<'bound>>) {
        let data = data.get_ref();
        if data.sleeper.is_none() {
            return;
        }
        let result = match data.case {
            Case::Idle | Case::IdleReset => used(data),
            case if ERROR_CASES.contains(&case) => recovered(data),
            _ => slept(data),
        };
        if noted(result, EBUSY).is_ok() {
            dev_info!(dev, "case {:?}: ok\n", data.case);
        }
    }
}

/// What there is to be suspended.
struct Sleeper<'bound> {
    dma: Dma<'bound>,
    memory: Coherent<[u8]>,
    /// How often the handler was called, also for others that share the line; and how often it had
    /// been when the device was suspended.
    calls: Atomic<usize>,
    noted: Atomic<usize>,
    suspended: Atomic<usize>,
    resumed: Atomic<usize>,
    /// How often the driver was told of an error, that the slot was reset, and to go on.
    told: [Atomic<usize>; 3],
    /// What it was told last.
    state: Atomic<usize>,
    /// Whether the driver has refused to suspend it.
    refused: Atomic<bool>,
}

/// The data of the device that was suspended, shut down, or stopped after an error before this one,
/// unless it was brought up.
static BEFORE: Atomic<*mut Data<'static>> = Atomic::new(ptr::null_mut());

/// Says so where it fails, but with what is meant to be.
fn noted(result: Result, meant: Error) -> Result {
    if result.is_err_and(|error| error != meant) {
        pr_err!("FAILED: suspend\n");
    }
    result
}

impl<'bound> Sleeper<'bound> {
    fn new(dev: &'bound pci::Device<Core<'_>>) -> Result<Self> {
        let mut setup = dev.dma_setup()?;
        setup.set_mask_and_coherent(DmaMask::new::<28>())?;
        let dma = setup.finish()?;
        Ok(Self {
            dma,
            memory: Coherent::zeroed_slice(dma.device(), 64, GFP_KERNEL)?,
            calls: Atomic::new(0),
            noted: Atomic::new(0),
            suspended: Atomic::new(0),
            resumed: Atomic::new(0),
            told: [const { Atomic::new(0) }; 3],
            state: Atomic::new(0),
            refused: Atomic::new(false),
        })
    }

    fn suspends(&self) {
        self.suspended.fetch_add(1, ordering::Full);
    }

    /// How often the driver was told what.
    fn told(&self) -> [usize; 3] {
        [0, 1, 2].map(|what| self.told[what].load(ordering::Acquire))
    }

    /// Whether the device was resumed as often as it was suspended.
    fn is_up(&self) -> bool {
        self.suspended.load(ordering::Acquire) == self.resumed.load(ordering::Acquire)
    }

    /// Drops what the device could reach, and returns how much is parked.
    fn park(&self) -> Result<usize> {
        let buffer = KVec::from_elem(0u8, 4096, GFP_KERNEL)?;
        drop(Mapping::<_, FromDevice>::new(self.dma, buffer)?);
        Ok(self.dma.parked().count)
    }
}

/// The device copies, and raises its interrupt.
fn moves(data: &Data<'_>) -> Result {
    let memory = &data.sleeper()?.memory;
    let address = memory.dma_address();
    let mut found = [0; 64];
    memory.copy_from_slice(&[0; 64]);
    io_project!(memory, [try: ..32]).copy_from_slice(&[0x5a; 32]);
    copy(data, address, OWN, 32, 0)?;
    copy(data, OWN, address + 32, 32, 2 | 4)?;
    data.wait()?;
    memory.copy_to_slice(&mut found);
    check!(found == [0x5a; 64]);
    Ok(())
}

/// The device does not reach memory, and its handler is not called.
fn is_muted(data: &Data<'_>) -> Result {
    let sleeper = data.sleeper()?;
    let mut found = [0; 64];
    sleeper.memory.copy_from_slice(&[0xee; 64]);
    copy(data, OWN, sleeper.memory.dma_address(), 32, 2)?;
    sleeper.memory.copy_to_slice(&mut found);
    check!(found == [0xee; 64]);

    data.write(1, RAISE);
    fsleep(Delta::from_millis(5));
    let calls = sleeper.calls.load(ordering::Acquire);
    data.write(!0, ACKNOWLEDGE);
    check!(calls == sleeper.noted.load(ordering::Acquire));
    Ok(())
}

fn awakened<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    // What is dropped is kept, though mastering is off yet.
    check!(data.sleeper()?.park()? == 1);
    check!(dev.reset_and_set_master() == Err(ENOTTY));
    dev.request_irq(data.vector(0)?, Flags::SHARED, c"mainline", data)?;
    check!(dev.reset_and_set_master() == Err(EBUSY));
    set_master(dev)?;
    moves(data)
}

/// The device is up, and the one before it is muted.
fn last(data: &Data<'_>) -> Result {
    moves(data)?;
    let sleeper = data.sleeper()?;
    sleeper
        .noted
        .store(sleeper.calls.load(ordering::Acquire), ordering::Release);

    let this = ptr::from_ref(data).cast_mut().cast();
    // SAFETY: It is still there, and shared: devices are resumed before a driver is unbound, and no
    // driver is when the system is shut down. It is this thread that suspends them all.
    match unsafe { BEFORE.xchg(this, ordering::Full).as_ref() } {
        Some(before) => is_muted(before),
        None => Ok(()),
    }
}

fn suspended(dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    data.sleeper()?.suspended.fetch_add(1, ordering::Full);
    if data.case == Case::Late {
        return Ok(());
    }
    if data.case == Case::Busy {
        moves(data)?;
        return Err(EBUSY);
    }
    last(data)?;
    if data.case == Case::Stopped {
        dev.clear_master(|_| Ok(()))?;
        return Err(EBUSY);
    }
    Ok(())
}

/// It is quiet, and nothing is parked; then all is as before.
fn resumed(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let sleeper = data.sleeper()?;
    let before = sleeper.resumed.fetch_add(1, ordering::Full);
    BEFORE.store(ptr::null_mut(), ordering::Release);

    check!(sleeper.dma.parked() == Parked::default());
    is_muted(data)?;
    check!(sleeper.park()? == 1);
    check!(dev.reset_and_set_master() == Err(ENOTTY));
    check!(dev.use_autosuspend(DELAY).is_ok() == is_idle(data));
    set_master(dev)?;
    check!(dev.reset_and_set_master() == Err(EBUSY));
    moves(data)?;

    if data.case == Case::NotResumed && before == 0 {
        sleeper
            .noted
            .store(sleeper.calls.load(ordering::Acquire), ordering::Release);
        return Err(EALREADY);
    }
    Ok(())
}

fn late<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    data.sleeper()?.resumed.fetch_add(1, ordering::Full);
    let request = || dev.request_irq(data.vector(0)?, Flags::SHARED, c"mainline", data);
    check!(request() == Err(EBUSY));
    set_master(dev)?;
    request()?;
    moves(data)
}

/// What a device has been through, as it is unbound.
fn slept(data: &Data<'_>) -> Result {
    let sleeper = data.sleeper()?;
    let suspended = sleeper.suspended.load(ordering::Acquire);
    let resumed = sleeper.resumed.load(ordering::Acquire);
    pr_info!("suspended {suspended} times, resumed {resumed} times\n");
    match data.case {
        Case::Busy => check!(resumed == 0),
        Case::NotResumed => check!(suspended <= 1),
        _ => check!(suspended == resumed),
    }
    if data.case == Case::NotResumed && resumed == 1 {
        check!(sleeper.dma.parked() == Parked::default());
        return is_muted(data);
    }
    moves(data)
}

/// Milliseconds. It must not be over before C has noted that the driver refuses.
const DELAY: u32 = 100;

/// The device that is suspended when it is not in use.
static IDLE: Atomic<*mut Data<'static>> = Atomic::new(ptr::null_mut());

fn is_idle(data: &Data<'_>) -> bool {
    ptr::eq(IDLE.load(ordering::Acquire), ptr::from_ref(data).cast())
}

/// The first one is suspended later, the second one uses it.
fn idle<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    // SAFETY: It is still there, and shared: the test unbinds it after this one was bound.
    if let Some(other) = unsafe { IDLE.load(ordering::Acquire).as_ref() } {
        uses(other)?;
        return awakened(dev, data);
    }

    awakened(dev, data)?;
    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let guard = lock.lock();
    let asked = dev.use_autosuspend(DELAY);
    let got = data.dev.runtime_get().err();
    drop(guard);
    check!(!cfg!(CONFIG_PREEMPT_COUNT) || (asked == Err(EINVAL) && got == Some(EINVAL)));
    dev.use_autosuspend(u32::MAX)?;
    dev.use_autosuspend(DELAY)?;
    IDLE.store(ptr::from_ref(data).cast_mut().cast(), ordering::Release);
    Ok(())
}

/// It is up, and stays so, for as long as there is a guard.
fn uses(data: &Data<'_>) -> Result {
    let sleeper = data.sleeper()?;
    let before = sleeper.resumed.load(ordering::Acquire);
    let guard = data.dev.runtime_get()?;
    check!(sleeper.is_up());
    drop(data.dev.runtime_get()?);
    moves(data)?;
    fsleep(Delta::from_millis(i64::from(3 * DELAY)));
    check!(sleeper.is_up());
    moves(data)?;
    pr_info!(
        "resumed {} times\n",
        sleeper.resumed.load(ordering::Acquire) - before
    );
    drop(guard);
    Ok(())
}

/// The first time that it is not in use it refuses, with an error that C would take for the end.
fn idled(dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let sleeper = data.sleeper()?;
    if data.dev.runtime_get().err() == Some(EBUSY) && !sleeper.refused.xchg(true, ordering::Full) {
        moves(data)?;
        return Err(EALREADY);
    }
    suspended(dev, data)
}

fn idle_reset<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let other = IDLE.load(ordering::Acquire);
    // SAFETY: As in `idle`.
    if let Some(other) = unsafe { other.as_ref() } {
        drop(other.dev.runtime_get()?);
        return Ok(());
    }
    dev.reset_and_set_master()?;
    dev.use_autosuspend(DELAY)?;
    IDLE.store(ptr::from_ref(data).cast_mut().cast(), ordering::Release);
    Ok(())
}

/// C does it without the lock of the device.
fn woken_by_reset(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let config = dev.config_space();
    let before = config.read16(COMMAND);
    check!(before & MASTER == 0);
    dev.reset_and_set_master()?;
    check!(config.read16(COMMAND) == before | MASTER);
    data.sleeper()?.resumed.fetch_add(1, ordering::Full);
    pr_info!("reset\n");
    Ok(())
}

/// It is up again; and the next driver's device is suspended all the same.
fn used(data: &Data<'_>) -> Result {
    if !is_idle(data) {
        return Ok(());
    }
    IDLE.store(ptr::null_mut(), ordering::Release);
    let sleeper = data.sleeper()?;
    check!(sleeper.is_up());
    if data.case == Case::Idle {
        moves(data)?;
    }
    let suspended = sleeper.suspended.load(ordering::Acquire);
    pr_info!("idle {suspended} times, told {:?}\n", sleeper.told());
    forget(data.dev.runtime_get()?);
    Ok(())
}

fn told(data: &Data<'_>, what: usize) -> Result<usize> {
    Ok(data.sleeper()?.told[what].fetch_add(1, ordering::Full))
}

/// The device is up, unless it is lost; and the one before it is stopped, and nothing of it freed.
fn detected(data: &Data<'_>, state: ChannelState) -> Result {
    let sleeper = data.sleeper()?;
    told(data, 0)?;
    // CAST: Its number.
    sleeper.state.store(state as usize, ordering::Release);
    if state == ChannelState::PermFailure {
        moves(data)?;
        sleeper
            .noted
            .store(sleeper.calls.load(ordering::Acquire), ordering::Release);
        return Ok(());
    }
    if data.case == Case::Unable || (data.case, state) == (Case::GoesOn, ChannelState::Normal) {
        return moves(data);
    }
    // SAFETY: It is still there, and shared: the test unbinds no device meanwhile.
    if let Some(before) = unsafe { BEFORE.load(ordering::Acquire).as_ref() } {
        check!(before.sleeper()?.dma.parked() != Parked::default());
    }
    last(data)
}

/// The reset of the slot serves for one. What is dropped is kept, though mastering is off yet.
fn was_reset(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let sleeper = data.sleeper()?;
    told(data, 1)?;
    BEFORE.store(ptr::null_mut(), ordering::Release);
    check!(sleeper.dma.parked() == Parked::default());
    is_muted(data)?;
    check!(sleeper.park()? == 1);
    dev.reset_and_set_master()?;
    check!(dev.reset_and_set_master() == Err(EBUSY));
    moves(data)?;
    if data.case == Case::Lost && dev.dev_id() & 7 == 0 {
        sleeper
            .noted
            .store(sleeper.calls.load(ordering::Acquire), ordering::Release);
        return Err(EALREADY);
    }
    Ok(())
}

fn goes_on(data: &Data<'_>) -> Result {
    told(data, 2)?;
    moves(data)
}

/// What a device has been told, as it is unbound. It is up, or stays stopped.
fn recovered(data: &Data<'_>) -> Result {
    BEFORE.store(ptr::null_mut(), ordering::Release);
    let sleeper = data.sleeper()?;
    let times = sleeper.told();
    let state = sleeper.state.load(ordering::Acquire);
    pr_info!("told {times:?}, last {state}\n");
    match (data.case, times[0]) {
        (_, 0) | (Case::Recovered | Case::GoesOn | Case::Unable, _) => moves(data),
        (Case::GivenUp, _) if sleeper.resumed.load(ordering::Acquire) != 0 => moves(data),
        (Case::Lost, 1) => {
            check!(sleeper.dma.parked() == Parked::default());
            is_muted(data)
        }
        (Case::Lost, _) => {
            check!(sleeper.dma.parked() != Parked::default());
            is_muted(data)
        }
        _ => {
            check!(sleeper.dma.parked() != Parked::default());
            Ok(())
        }
    }
}

impl Data<'_> {
    fn vector(&self, index: usize) -> Result<IrqVector<'_>> {
        self.vectors.as_ref().ok_or(EINVAL)?.index(index)
    }

    fn sleeper(&self) -> Result<&Sleeper<'_>> {
        self.sleeper.as_ref().ok_or(EBUSY)
    }

    fn write(&self, value: u32, register: usize) {
        if let Some(regs) = &self.regs {
            let _ = regs.try_write32(value, register);
        }
    }

    fn wait(&self) -> Result {
        self.called
            .wait_for_completion_timeout(msecs_to_jiffies(5000))
    }

    fn counted(&self) -> usize {
        self.count.load(ordering::Acquire)
    }

    /// Counts where `result` should be an error.
    fn refused(&self, result: Result, with: Error) {
        if result != Err(with) {
            self.failed.fetch_add(1, ordering::Full);
        }
    }

    /// Whether the device raised the interrupt.
    fn raised(&self) -> bool {
        let reasons = self.regs.as_ref().map_or(0, |regs| regs.read32(STATUS));
        if reasons != 0 && self.case != Case::Polled {
            self.write(reasons, ACKNOWLEDGE);
        }
        if reasons != 0 {
            self.count.fetch_add(1, ordering::Full);
        }
        reasons != 0
    }
}

impl Handler for Data<'_> {
    fn handle(&self) -> IrqReturn {
        if let Some(sleeper) = &self.sleeper {
            sleeper.calls.fetch_add(1, ordering::Full);
        }
        if !self.raised() {
            return IrqReturn::None;
        }
        if self.case == Case::Polled && self.vector(0).and_then(|vector| vector.disable()).is_err()
        {
            self.failed.fetch_add(1, ordering::Full);
        }
        self.called.complete();
        IrqReturn::Handled
    }
}

impl ThreadedHandler for Data<'_> {
    fn handle(&self) -> ThreadedIrqReturn {
        if !self.raised() {
            return ThreadedIrqReturn::None;
        }
        self.refused(
            self.vector(0).and_then(|vector| vector.synchronize()),
            EINVAL,
        );
        // Nor does a wait turn on interrupts here.
        self.refused(self.called.wait_for_completion_timeout(1), EINVAL);
        self.refused(self.called.wait_for_completion_interruptible(), EINVAL);
        self.refused(self.called.wait_for_completion_killable_timeout(1), EINVAL);
        ThreadedIrqReturn::WakeThread
    }

    fn handle_threaded(&self) -> IrqReturn {
        self.called.complete();
        self.refused(
            self.vector(0).and_then(|vector| vector.synchronize()),
            EBUSY,
        );
        fsleep(Delta::from_millis(50));
        self.ended.fetch_add(1, ordering::Full);
        IrqReturn::Handled
    }
}

/// When the bus has removed the handlers, nobody disables or enables their interrupts.
#[pinned_drop]
impl PinnedDrop for Data<'_> {
    fn drop(self: Pin<&mut Self>) {
        for index in 0..self.vectors.as_ref().map_or(0, |vectors| vectors.len()) {
            for _ in 0..3 {
                self.refused(
                    self.vector(index).and_then(|vector| vector.disable()),
                    EINVAL,
                );
                self.refused(
                    self.vector(index).and_then(|vector| vector.enable()),
                    EINVAL,
                );
            }
        }
        self.write(!0, ACKNOWLEDGE);
        if self.failed.load(ordering::Acquire) != 0 {
            pr_err!("FAILED: case {:?}\n", self.case);
        }
    }
}

/// Turns on bus mastering, which no write to configuration space does; or leaves it on.
fn set_master(dev: &pci::Device<Start<'_>>) -> Result {
    // SAFETY: It gets no address here.
    unsafe { dev.set_master() };

    // A write leaves it on, unless that turns it off.
    let config = dev.config_space();
    config.write16(config.read16(COMMAND), COMMAND);
    check!(config.read16(COMMAND) & MASTER != 0);
    Ok(())
}

fn disabled<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let vector = data.vector(0)?;
    check!(vector.disable() == Err(EINVAL));
    check!(vector.enable() == Err(EINVAL));

    for name in [c"", c".", c"..", c"a/b", c"spurious", c"smp_affinity_list"] {
        check!(dev.request_irq(data.vector(0)?, Flags::SHARED, name, data) == Err(EINVAL));
        check!(dev.request_threaded_irq(data.vector(0)?, Flags::SHARED, name, data) == Err(EINVAL));
    }
    for flags in [
        Flags::ONESHOT,
        Flags::NO_AUTOEN,
        Flags::PERCPU,
        Flags::TRIGGER_HIGH | Flags::SHARED,
        Flags::TIMER,
        !Flags::TRIGGER_NONE,
    ] {
        check!(dev.request_irq(data.vector(0)?, flags, c"mainline", data) == Err(EINVAL));
        check!(dev.request_threaded_irq(data.vector(0)?, flags, c"mainline", data) == Err(EINVAL));
    }

    let name = CString::try_from_fmt(fmt!("mainline {}", dev.as_ref().name()))?;
    dev.request_irq(data.vector(0)?, Flags::TRIGGER_NONE, &name, data)?;
    drop(name);
    for flags in [Flags::SHARED, Flags::TRIGGER_NONE] {
        check!(dev.request_irq(data.vector(0)?, flags, c"mainline 2", data) == Err(EBUSY));
        check!(dev.request_threaded_irq(data.vector(0)?, flags, c"mainline", data) == Err(EBUSY));
    }
    set_master(dev)?;

    check!(vector.enable() == Err(EINVAL));
    for depth in 1..=3 {
        for _ in 0..depth {
            vector.disable()?;
        }
        for _ in 0..10 {
            data.write(1, RAISE);
            data.write(1, ACKNOWLEDGE);
        }
        data.write(1, RAISE);
        for _ in 1..depth {
            vector.enable()?;
        }
        fsleep(Delta::from_millis(20));
        vector.synchronize()?;
        check!(data.counted() == depth - 1);
        vector.enable()?;
        data.wait()?;
        check!(data.counted() == depth);
        check!(vector.enable() == Err(EINVAL));
    }

    // It stays disabled until the handler is removed.
    vector.disable()
}

fn polled<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    dev.request_irq(data.vector(0)?, Flags::SHARED, c"mainline", data)?;
    // C would take a second handler that shares the interrupt.
    check!(dev.request_irq(data.vector(0)?, Flags::SHARED, c"mainline 2", data) == Err(EBUSY));
    set_master(dev)?;
    for number in 1..=10 {
        data.write(1, RAISE);
        data.wait()?;
        data.write(1, ACKNOWLEDGE);
        data.write(1, RAISE);
        fsleep(Delta::from_millis(2));
        check!(data.counted() == 2 * number - 1);
        data.vector(0)?.enable()?;
        data.wait()?;
        check!(data.counted() == 2 * number);
        data.write(1, ACKNOWLEDGE);
        data.vector(0)?.enable()?;
    }
    data.write(1, RAISE);
    data.wait()
}

fn synchronized<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let vector = data.vector(0)?;
    vector.synchronize()?;
    dev.request_threaded_irq(data.vector(0)?, Flags::SHARED, c"mainline", data)?;
    set_master(dev)?;
    for number in 1..=5 {
        data.write(1, RAISE);
        data.wait()?;
        vector.synchronize()?;
        check!(data.ended.load(ordering::Acquire) == number);
    }
    Ok(())
}

fn line<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let vector = data.vector(0)?;
    dev.request_irq(data.vector(0)?, Flags::SHARED, c"mainline", data)?;
    check!(vector.disable() == Err(EINVAL));
    check!(vector.enable() == Err(EINVAL));
    check!(dev.set_irq_affinity_and_hint(&vector, cpu(0)?) == Err(EINVAL));
    data.write(1, RAISE);
    data.wait()?;
    vector.synchronize()
}

const SIZE: usize = 5 * 4096 + 100;

fn pattern() -> Result<VVec<u8>> {
    let mut bytes = VVec::with_capacity(SIZE, GFP_KERNEL)?;
    for i in 0..SIZE {
        bytes.push((i * 7 + i / 251) as u8, GFP_KERNEL)?;
    }
    Ok(bytes)
}

/// Has the device copy, between memory and its own.
fn copy(data: &Data<'_>, from: DmaAddress, to: DmaAddress, len: u32, command: u32) -> Result {
    const COMMAND: usize = 0x98;

    data.write(from as u32, 0x80);
    data.write(to as u32, 0x88);
    data.write(len, 0x90);
    data.write(command | 1, COMMAND);
    for _ in 0..500 {
        if data.regs.as_ref().map_or(1, |regs| regs.read32(COMMAND)) & 1 == 0 {
            return Ok(());
        }
        fsleep(Delta::from_millis(10));
    }
    Err(ETIMEDOUT)
}

/// Where the device has memory of its own.
const OWN: DmaAddress = 0x4_0000;

fn table<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    set_master(dev)?;
    let mut table = data.table.lock();
    let table = Option::as_mut(&mut *table).ok_or(EINVAL)?;
    check!(table.size() == SIZE);

    let mut pieces = KVec::new();
    for entry in table.iter() {
        check!(entry.dma_len() <= 8192);
        for offset in (0..entry.dma_len()).step_by(4096) {
            let len = (entry.dma_len() - offset).min(4096);
            pieces.push((entry.dma_address() + offset, len as usize), GFP_KERNEL)?;
        }
    }

    let mut place = 0;
    for (address, len) in &pieces {
        let range = place..place + len;
        copy(data, *address, OWN, *len as u32, 0)?;
        let guard = table.for_cpu();
        io_project!(&guard, [try: range]).copy_from_slice(&KVec::from_elem(0, *len, GFP_KERNEL)?);
        drop(guard);
        copy(data, OWN, *address, *len as u32, 2)?;
        place += len;
    }
    check!(place == SIZE);

    let mut found = KVec::from_elem(0, SIZE, GFP_KERNEL)?;
    table.for_cpu().copy_to_slice(&mut found);
    check!(found[..] == pattern()?[..]);
    dev_info!(dev, "{} pieces\n", pieces.len());
    Ok(())
}

fn cpu(number: u32) -> Result<CpuId> {
    CpuId::from_u32(number).ok_or(EINVAL)
}

fn hinted<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    check!(dev.set_irq_affinity_and_hint(&data.vector(0)?, cpu(0)?) == Err(EINVAL));
    for index in [2, 0, 1] {
        let name = CString::try_from_fmt(fmt!("mainline {index}"))?;
        dev.request_irq(data.vector(index)?, Flags::SHARED, &name, data)?;
    }
    for index in 0..3 {
        let vector = data.vector(index)?;
        for number in 0..nr_cpu_ids() {
            dev.set_irq_affinity_and_hint(&vector, cpu(number)?)?;
        }
        // The last one in this order stays.
        dev.set_irq_affinity_and_hint(&vector, cpu(index as u32 % nr_cpu_ids())?)?;
        vector.disable()?;
        vector.synchronize()?;
    }
    Ok(())
}

fn spread<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    for index in 0..nr_cpu_ids() as usize {
        let vector = data.vector(index)?;
        dev.request_irq(data.vector(index)?, Flags::SHARED, c"mainline", data)?;
        check!(vector.disable() == Err(EINVAL));
        check!(vector.enable() == Err(EINVAL));
        check!(dev.set_irq_affinity_and_hint(&vector, cpu(0)?) == Err(EINVAL));
        vector.synchronize()?;
    }
    Ok(())
}

kernel::module_pci_driver! {
    type: Cases,
    name: "mainline",
    authors: ["Seed dfb84e63 maintainers"],
    description: "Cases for the set for mainline",
    license: "GPL",
    params: {
        case: i64 {
            default: 0,
            description: "A case for when the system is suspended, or 0 for the others in turn",
        },
    },
}
