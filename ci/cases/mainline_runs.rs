// SPDX-License-Identifier: GPL-2.0

//! The cases of v6.12 for work, timers and threads, on v7.3: what is in `work.rs`, `timer.rs` and
//! `thread.rs` is the same. With them, the system is suspended, or shut down.
//!
//! Which case it is says the parameter. Whatever is not as it should be is printed as `FAILED`; when
//! a case has ended as it should, and the driver's data is dropped, that is printed, too.

use core::ptr;
use kernel::{
    device::{
        Core,
        Start, //
    },
    dma::{
        Device as _,
        Dma,
        DmaMask, //
    },
    pci,
    prelude::*,
    sync::atomic::{
        ordering,
        Atomic, //
    },
};
use pin_init::pin_init_scope;

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

mod thread;
mod timer;
mod work;

use thread::Runner;
use timer::Ticker;
use work::Worker;

/// How long something may take, in milliseconds.
const TIMEOUT: i64 = 5000;

/// The time since boot, in nanoseconds.
fn now() -> i64 {
    // SAFETY: The function has no precondition, but that this is not an NMI.
    unsafe { kernel::bindings::ktime_get() }
}

/// As much of the device as the cases need.
mod edu {
    use kernel::{
        device::{
            Core,
            Start, //
        },
        io::Io,
        pci,
        prelude::*, //
    };

    pub(crate) const STATUS: usize = 0x24;
    pub(crate) const RAISE: usize = 0x60;
    pub(crate) const ACKNOWLEDGE: usize = 0x64;

    pub(crate) struct Edu<'bound>(pub(crate) pci::Bar<'bound, 0xa0>);

    impl<'bound> Edu<'bound> {
        pub(crate) fn new(dev: &'bound pci::Device<Core<'_>>) -> Result<Self> {
            dev.enable_device_mem()?;
            Ok(Self(dev.iomap_region_sized(0, c"mainline_runs")?))
        }

        pub(crate) fn set_master(&self, dev: &pci::Device<Start<'_>>) -> Result {
            if self.0.read32(0x98) & 1 != 0 {
                return Err(EBUSY);
            }
            // SAFETY: The run bit (bit 0 of the register at 0x98) is clear, as was just read, so
            // the device is at rest. It begins no transfer before that is set again.
            unsafe { dev.set_master() };
            Ok(())
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    WorkRuns,
    WorkAgain,
    WorkStartFails,
    WorkInterrupt,
    TimerRuns,
    TimerAgain,
    TimerStartFails,
    ThreadRuns,
    ThreadEnds,
    ThreadAgain,
    ThreadStartFails,
    /// What is leaked does not run when the driver is unbound.
    Leaked,
    /// A reset stops all for a while, also if there is no way to do it.
    Reset,
    /// All are quiet while the system is suspended.
    Asleep,
    /// A device that is not resumed the first time stays quiet.
    NotResumed,
    /// All are quiet when the system is shut down.
    ShutDown,
}

const CASES: [Case; 16] = [
    Case::WorkRuns,
    Case::WorkAgain,
    Case::WorkStartFails,
    Case::WorkInterrupt,
    Case::TimerRuns,
    Case::TimerAgain,
    Case::TimerStartFails,
    Case::ThreadRuns,
    Case::ThreadEnds,
    Case::ThreadAgain,
    Case::ThreadStartFails,
    Case::Leaked,
    Case::Reset,
    Case::Asleep,
    Case::NotResumed,
    Case::ShutDown,
];

/// What a case has when it is probed.
struct Test<'core, 'bound> {
    dev: &'bound pci::Device<Core<'core>>,
    kept: Kept<'bound>,
}

impl<'bound> Test<'_, 'bound> {
    fn dma(&mut self) -> Result<Dma<'bound>> {
        let mut setup = self.dev.dma_setup()?;
        setup.set_mask_and_coherent(DmaMask::new::<28>())?;
        setup.finish()
    }
}

/// What a case keeps until the driver is unbound.
#[derive(Default)]
struct Kept<'bound> {
    worker: Option<Worker<'bound>>,
    ticker: Option<Ticker<'bound>>,
    runner: Option<Runner<'bound>>,
    /// All of these, which nobody drops.
    leaked: Option<&'bound All<'bound>>,
    edu: Option<edu::Edu<'bound>>,
    vectors: Option<pci::IrqVectorRegistration<'bound>>,
}

struct All<'bound> {
    worker: Worker<'bound>,
    ticker: Ticker<'bound>,
    runner: Runner<'bound>,
}

#[pin_data(PinnedDrop)]
struct Data<'bound> {
    case: Case,
    passed: Atomic<bool>,
    resumed: Atomic<usize>,
    kept: Kept<'bound>,
}

impl Data<'_> {
    fn vector(&self, index: usize) -> Result<pci::IrqVector<'_>> {
        self.kept.vectors.as_ref().ok_or(EINVAL)?.index(index)
    }

    /// Notes how a part of the case has ended, and returns that.
    fn noted(&self, result: Result, meant: Result) -> Result {
        if result != meant {
            pr_err!("FAILED: case {:?}: {result:?}\n", self.case);
            self.passed.store(false, ordering::Release);
        }
        result
    }
}

#[pinned_drop]
impl PinnedDrop for Data<'_> {
    fn drop(self: Pin<&mut Self>) {
        if let Some(leaked) = self.kept.leaked {
            let _ = self.noted(
                are_stopped(&leaked.worker, &leaked.ticker, &leaked.runner),
                Ok(()),
            );
        }
        if self.passed.load(ordering::Acquire) {
            pr_info!("case {:?}: ok\n", self.case);
        }
    }
}

fn are_stopped(worker: &Worker<'_>, ticker: &Ticker<'_>, runner: &Runner<'_>) -> Result {
    worker.is_stopped()?;
    ticker.is_stopped()?;
    runner.is_stopped()
}

/// Has all of them run.
fn all_go_on<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    work::worker(data)?.go_on(dev)?;
    timer::ticker(data)?.go_on(dev)?;
    thread::runner(data)?.go_on(dev)
}

fn all(test: &mut Test<'_, '_>) -> Result {
    test.kept.edu = Some(edu::Edu::new(test.dev)?);
    work::again(test)?;
    timer::again(test)?;
    thread::again(test)
}

fn leaked(test: &mut Test<'_, '_>) -> Result {
    let all = KBox::new(
        All {
            worker: Worker::new(test.dev)?,
            ticker: Ticker::new(test.dev)?,
            runner: Runner::new(test.dev)?,
        },
        GFP_KERNEL,
    )?;
    test.kept.leaked = Some(KBox::leak(all));
    Ok(())
}

fn leaked_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let leaked: &'data All<'_> = data.kept.leaked.ok_or(EINVAL)?;
    leaked.worker.go_on(dev)?;
    leaked.ticker.go_on(dev)?;
    leaked.runner.go_on(dev)
}

fn reset<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    all_go_on(dev, data)?;
    let runner = thread::runner(data)?;
    let calls = runner.calls();
    match dev.reset_and_set_master() {
        Ok(()) => dev_info!(dev, "was reset\n"),
        Err(error) => check!(error == ENOTTY),
    }
    work::worker(data)?.begin()?;
    timer::ticker(data)?.begin()?;
    runner.is_running()?;
    check!(runner.calls() == calls + 1);
    Ok(())
}

/// The data of the device that was suspended, or shut down, before this one, unless it was resumed.
static BEFORE: Atomic<*mut Data<'static>> = Atomic::new(ptr::null_mut());

/// All run, and those of the device before do not.
fn last(data: &Data<'_>) -> Result {
    work::worker(data)?.is_running()?;
    timer::ticker(data)?.is_running()?;
    thread::runner(data)?.is_running()?;
    let this = ptr::from_ref(data).cast_mut().cast();
    // SAFETY: It is still there, and shared: devices are resumed before a driver is unbound, and no
    // driver is when the system is shut down. It is this thread that suspends them all.
    match unsafe { BEFORE.xchg(this, ordering::Full).as_ref() } {
        Some(before) => are_stopped(
            work::worker(before)?,
            timer::ticker(before)?,
            thread::runner(before)?,
        ),
        None => Ok(()),
    }
}

/// Work and timers can be queued and started; threads begin when this has succeeded.
fn resumed(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    BEFORE.store(ptr::null_mut(), ordering::Release);
    let worker = work::worker(data)?;
    let ticker = timer::ticker(data)?;
    let runner = thread::runner(data)?;
    worker.begin()?;
    ticker.begin()?;
    runner.is_stopped()?;
    data.kept.edu.as_ref().ok_or(EINVAL)?.set_master(dev)?;
    worker.begin_again()?;
    ticker.begin_again()?;
    runner.is_stopped()?;
    if data.case == Case::NotResumed && data.resumed.fetch_add(1, ordering::Full) == 0 {
        return Err(EALREADY);
    }
    Ok(())
}

struct Runs;

const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

impl pci::Driver for Runs {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;

    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            let number = usize::try_from(module_parameters::case.value())?;
            let case = *CASES.get(number).ok_or(EINVAL)?;
            let kept = Kept::default();
            let mut test = Test { dev, kept };
            match case {
                Case::WorkRuns => work::runs(&mut test),
                Case::WorkAgain => work::again(&mut test),
                Case::WorkStartFails => work::start_fails(&mut test),
                Case::WorkInterrupt => work::interrupt(&mut test),
                Case::TimerRuns => timer::runs(&mut test),
                Case::TimerAgain => timer::again(&mut test),
                Case::TimerStartFails => timer::start_fails(&mut test),
                Case::ThreadRuns => thread::runs(&mut test),
                Case::ThreadEnds => thread::ends(&mut test),
                Case::ThreadAgain => thread::again(&mut test),
                Case::ThreadStartFails => thread::start_fails(&mut test),
                Case::Leaked => leaked(&mut test),
                _ => all(&mut test),
            }?;
            Ok(try_pin_init!(Data {
                case,
                passed: Atomic::new(true),
                resumed: Atomic::new(0),
                kept: test.kept,
            }))
        })
    }

    fn start<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        let data = data.get_ref();
        match data.case {
            Case::WorkRuns => data.noted(work::runs_start(dev, data), Ok(())),
            Case::WorkAgain => data.noted(work::again_start(dev, data), Ok(())),
            Case::WorkStartFails => data.noted(work::start_fails_start(dev, data), Err(EBUSY)),
            Case::WorkInterrupt => data.noted(work::interrupt_start(dev, data), Ok(())),
            Case::TimerRuns => data.noted(timer::runs_start(dev, data), Ok(())),
            Case::TimerAgain => data.noted(timer::again_start(dev, data), Ok(())),
            Case::TimerStartFails => data.noted(timer::start_fails_start(dev, data), Err(EBUSY)),
            Case::ThreadRuns => data.noted(thread::runs_start(dev, data), Ok(())),
            Case::ThreadEnds => data.noted(thread::ends_start(dev, data), Ok(())),
            Case::ThreadAgain => data.noted(thread::again_start(dev, data), Ok(())),
            Case::ThreadStartFails => data.noted(thread::start_fails_start(dev, data), Err(EBUSY)),
            Case::Leaked => data.noted(leaked_start(dev, data), Ok(())),
            Case::Reset => data.noted(reset(dev, data), Ok(())),
            _ => data.noted(all_go_on(dev, data), Ok(())),
        }
    }

    fn unbind<'bound>(dev: &'bound pci::Device<Core<'_>>, data: Pin<&Data<'bound>>) {
        let data = data.get_ref();
        let result = match data.case {
            Case::WorkAgain => work::again_unbind(dev, data),
            Case::TimerAgain => timer::again_unbind(dev, data),
            Case::ThreadAgain => thread::again_unbind(dev, data),
            Case::Asleep => thread::runner(data).and_then(|runner| runner.is_running_if_ever()),
            Case::NotResumed if data.resumed.load(ordering::Acquire) == 1 => (|| {
                are_stopped(
                    work::worker(data)?,
                    timer::ticker(data)?,
                    thread::runner(data)?,
                )
            })(),
            _ => Ok(()),
        };
        let _ = data.noted(result, Ok(()));
    }

    fn suspend(_: &pci::Device<Core<'_>>, data: Pin<&Data<'_>>) -> Result {
        data.noted(last(data.get_ref()), Ok(()))
    }

    fn resume<'data>(dev: &pci::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        let data = data.get_ref();
        let meant = match data.case {
            Case::NotResumed if data.resumed.load(ordering::Acquire) == 0 => Err(EALREADY),
            _ => Ok(()),
        };
        data.noted(resumed(dev, data), meant)
    }

    fn shutdown(_: &pci::Device<Core<'_>>, data: Pin<&Data<'_>>) {
        if data.case == Case::ShutDown && data.noted(last(data.get_ref()), Ok(())).is_ok() {
            pr_info!("shut down: ok\n");
        }
    }
}

kernel::module_pci_driver! {
    type: Runs,
    name: "mainline_runs",
    authors: ["Seed dfb84e63 maintainers"],
    description: "Cases for work, timers and threads, for mainline",
    license: "GPL",
    params: {
        case: i64 {
            default: 0,
            description: "Which case",
        },
    },
}
