// SPDX-License-Identifier: GPL-2.0

//! Cases for what the platform bus runs on the driver's data.
//!
//! Any platform device will do: `cases.sh` gives one to the driver that has none. Each time that it
//! is bound, the next case is run. What is printed here, it reads.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel::{
    device::{Core, Start},
    driver::{HrTimer, HrTimerContext, HrTimerHandler, ShouldStop, Thread, ThreadHandler},
    init::pin_init_scope,
    new_platform_work, platform,
    prelude::*,
    time::{delay::fsleep, hrtimer::HrTimerRestart, msecs_to_jiffies, Delta},
};

/// Ends a case, as failed, unless `$condition` holds.
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            pr_err!(
                "FAILED: {}:{}: {}\n",
                file!(),
                line!(),
                stringify!($condition)
            );
            return Err(EIO);
        }
    };
}

/// How long anything may take, in milliseconds.
const TIMEOUT: usize = 5000;

/// In their order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    Unbound,
    StartFails,
    Suspended,
    ResumeFails,
}

const CASES: [Case; 4] = [
    Case::Unbound,
    Case::StartFails,
    Case::Suspended,
    Case::ResumeFails,
];

static BOUND: AtomicUsize = AtomicUsize::new(0);

/// What was run.
struct Runs {
    count: AtomicUsize,
    running: AtomicBool,
}

impl Runs {
    fn new() -> Self {
        Self {
            count: AtomicUsize::new(0),
            running: AtomicBool::new(false),
        }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn run(&self, f: impl FnOnce()) {
        self.running.store(true, Ordering::SeqCst);
        self.count.fetch_add(1, Ordering::SeqCst);
        f();
        self.running.store(false, Ordering::SeqCst);
    }

    /// It is run again and again.
    fn go_on(&self) -> Result {
        let count = self.count();
        for _ in 0..TIMEOUT {
            if self.count() >= count + 3 {
                return Ok(());
            }
            fsleep(Delta::from_millis(1));
        }
        check!(self.count() >= count + 3);
        Ok(())
    }

    /// It is not, and was not left running.
    fn are_over(&self) -> Result {
        check!(!self.running.load(Ordering::SeqCst));
        let count = self.count();
        fsleep(Delta::from_millis(20));
        check!(self.count() == count);
        Ok(())
    }
}

struct Data<'bound> {
    case: Case,
    work: platform::Work<'bound>,
    worked: Runs,
    timer: HrTimer<'bound>,
    ticked: Runs,
    thread: Thread<'bound>,
    looped: Runs,
}

impl platform::WorkHandler for Data<'_> {
    fn run(&self) {
        self.worked.run(|| fsleep(Delta::from_millis(1)));
        self.work.enqueue();
    }
}

impl HrTimerHandler for Data<'_> {
    fn run(&self, context: HrTimerContext<'_>) -> HrTimerRestart {
        self.ticked.run(|| {
            context.forward_now(Delta::from_millis(5));
        });
        HrTimerRestart::Restart
    }
}

impl ThreadHandler for Data<'_> {
    fn run(&self, stop: &ShouldStop<'_>) {
        self.looped.run(|| {
            while stop.wait(msecs_to_jiffies(1)) {
                self.looped.count.fetch_add(1, Ordering::SeqCst);
            }
            fsleep(Delta::from_millis(20));
        });
    }
}

impl<'bound> Data<'bound> {
    fn new(dev: &'bound platform::Device<Core<'_>>, case: Case) -> Result<Self> {
        Ok(Self {
            case,
            work: new_platform_work!(dev)?,
            worked: Runs::new(),
            timer: dev.new_hrtimer()?,
            ticked: Runs::new(),
            thread: dev.new_thread()?,
            looped: Runs::new(),
        })
    }

    /// Work and the timer are not running, and do when they are begun.
    fn begin(&self) -> Result {
        self.are_over()?;
        check!(self.work.enqueue());
        check!(self.timer.start(Delta::ZERO));
        self.worked.go_on()?;
        self.ticked.go_on()
    }

    /// As [`begin`](Self::begin). The thread runs when this has succeeded.
    fn resume(&self) -> Result {
        self.looped.are_over()?;
        self.begin()?;
        self.looped.are_over()
    }

    fn go_on(&self) -> Result {
        self.worked.go_on()?;
        self.ticked.go_on()?;
        self.looped.go_on()
    }

    fn are_over(&self) -> Result {
        self.worked.are_over()?;
        self.ticked.are_over()
    }

    /// Nothing is running, nor can be.
    fn are_stopped(&self) -> Result {
        self.are_over()?;
        check!(!self.work.enqueue());
        check!(!self.work.enqueue_delayed(1));
        check!(!self.work.cancel()?);
        check!(!self.timer.start(Delta::ZERO));
        check!(!self.timer.cancel()?);
        self.thread.wake();
        self.looped.are_over()?;
        self.are_over()
    }

    fn start<'data>(&'data self, dev: &platform::Device<Start<'data>>) -> Result {
        self.are_stopped()?;
        dev.set_work(&self.work, self)?;
        check!(dev.set_work(&self.work, self) == Err(EBUSY));
        dev.set_hrtimer(&self.timer, self)?;
        check!(dev.set_hrtimer(&self.timer, self) == Err(EBUSY));
        dev.run_thread(&self.thread, c"platform_cases", self)?;
        check!(dev.run_thread(&self.thread, c"platform_cases", self) == Err(EBUSY));
        self.begin()?;
        self.go_on()
    }

    /// Prints how it ended.
    fn ends(&self, when: &str, result: Result) {
        match result {
            Ok(()) => pr_info!("{:?}: {when}: ok\n", self.case),
            Err(_) => pr_err!("FAILED: {:?}: {when}\n", self.case),
        }
    }
}

impl Drop for Data<'_> {
    fn drop(&mut self) {
        self.ends("dropped", self.are_stopped());
    }
}

struct Cases;

impl platform::Driver for Cases {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;

    fn probe<'bound>(
        dev: &'bound platform::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            let number = BOUND.fetch_add(1, Ordering::SeqCst);
            let case = *CASES.get(number).ok_or(ENODEV)?;
            pr_info!("platform::{case:?}: begin\n");
            Data::new(dev, case)
        })
    }

    fn start<'data>(dev: &platform::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        let data = data.get_ref();
        let result = data.start(dev);
        data.ends("started", result);
        match data.case {
            Case::StartFails => Err(EBUSY),
            _ => result,
        }
    }

    fn unbind<'bound>(_: &'bound platform::Device<Core<'_>>, data: Pin<&Data<'bound>>) {
        let result = match data.case {
            Case::ResumeFails => data.are_stopped(),
            _ => data.go_on(),
        };
        data.ends("unbound", result);
    }

    fn suspend<'bound>(_: &platform::Device<Core<'_>>, data: Pin<&Data<'bound>>) -> Result {
        data.ends("suspended", data.go_on());
        Ok(())
    }

    fn resume<'data>(_: &platform::Device<Start<'data>>, data: Pin<&'data Data<'_>>) -> Result {
        data.ends("resumed", data.resume());
        match data.case {
            Case::ResumeFails => Err(EIO),
            _ => Ok(()),
        }
    }
}

kernel::module_platform_driver! {
    type: Cases,
    name: "platform_cases",
    author: "Seed dfb84e63 maintainers",
    description: "Cases for what the platform bus runs on the driver's data",
    license: "GPL",
}
