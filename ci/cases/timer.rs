// SPDX-License-Identifier: GPL-2.0

//! Timers on the driver's data.

use crate::{Data, Test};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel::{
    device::{Core, Start},
    driver::{HrTimer, HrTimerContext, HrTimerHandler},
    new_pci_work, new_spinlock, pci,
    prelude::*,
    sync::Completion,
    time::{
        delay::{fsleep, udelay},
        hrtimer::HrTimerRestart,
        msecs_to_jiffies, Delta,
    },
};

/// What the handler does with the timer.
#[derive(Clone, Copy)]
enum Plan {
    /// Nothing.
    Once,
    /// Has it go on at a pace.
    Pace,
    /// Starts it, and asks for another time.
    Start,
    /// Has it go on, without a time, up to a multiple of four.
    Haste,
    /// Takes long, for an interrupt.
    Long,
}

const PLANS: [Plan; 5] = [Plan::Once, Plan::Pace, Plan::Start, Plan::Haste, Plan::Long];

/// What is run.
pub(crate) struct Ticker<'bound> {
    timer: HrTimer<'bound>,
    /// Nobody says what this is for.
    idle: HrTimer<'bound>,
    /// Starts it somewhere else.
    starter: pci::Work<'bound>,
    plan: AtomicUsize,
    runs: AtomicUsize,
    running: AtomicBool,
    failed: AtomicBool,
    /// When it was run, in nanoseconds.
    last: AtomicUsize,
    ran: Pin<KBox<Completion>>,
}

impl HrTimerHandler for Ticker<'_> {
    fn run(&self, context: HrTimerContext<'_>) -> HrTimerRestart {
        self.running.store(true, Ordering::SeqCst);
        self.last.store(crate::now() as usize, Ordering::SeqCst);
        let runs = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        let restart = match self.inside(runs, context) {
            Ok(restart) => restart,
            Err(_) => {
                self.failed.store(true, Ordering::SeqCst);
                HrTimerRestart::NoRestart
            }
        };
        self.ran.complete();
        self.running.store(false, Ordering::SeqCst);
        restart
    }
}

impl pci::WorkHandler for Ticker<'_> {
    fn run(&self) {
        self.timer.start(Delta::ZERO);
    }
}

impl<'bound> Ticker<'bound> {
    pub(crate) fn new(dev: &'bound pci::Device<Core<'_>>) -> Result<Self> {
        Ok(Self {
            timer: dev.new_hrtimer()?,
            idle: dev.new_hrtimer()?,
            starter: new_pci_work!(dev)?,
            plan: AtomicUsize::new(0),
            runs: AtomicUsize::new(0),
            running: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            last: AtomicUsize::new(0),
            ran: KBox::pin_init(Completion::new(), GFP_KERNEL)?,
        })
    }

    /// In an interrupt, where one may not wait for oneself.
    fn inside(&self, runs: usize, context: HrTimerContext<'_>) -> Result<HrTimerRestart> {
        check!(self.timer.cancel() == Err(EINVAL));
        Ok(match PLANS[self.plan.load(Ordering::SeqCst)] {
            Plan::Once => HrTimerRestart::NoRestart,
            Plan::Pace => {
                check!(context.forward_now(Delta::from_millis(5)) > 0);
                HrTimerRestart::Restart
            }
            Plan::Start => {
                // C would warn, and move it on.
                check!(self.timer.start(Delta::ZERO));
                check!(context.forward_now(Delta::from_secs(1000)) == 0);
                check!(self.timer.start(Delta::from_millis(1)));
                HrTimerRestart::Restart
            }
            Plan::Haste if runs % 4 == 0 => HrTimerRestart::NoRestart,
            Plan::Haste => HrTimerRestart::Restart,
            Plan::Long => {
                check!(context.forward_now(Delta::from_secs(1000)) == 1);
                // That time is not over.
                check!(context.forward_now(Delta::from_secs(-1)) == 0);
                for _ in 0..100 {
                    udelay(Delta::from_millis(1));
                }
                HrTimerRestart::NoRestart
            }
        })
    }

    fn plan(&self, plan: Plan) {
        self.plan.store(plan as usize, Ordering::SeqCst);
    }

    fn wait(&self) -> Result {
        self.ran
            .wait_for_completion_timeout(msecs_to_jiffies(crate::TIMEOUT as u32))?;
        check!(!self.failed.load(Ordering::SeqCst));
        Ok(())
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// Has it run again and again.
    pub(crate) fn go_on<'data>(&'data self, dev: &pci::Device<Start<'data>>) -> Result {
        dev.set_hrtimer(&self.timer, self)?;
        dev.set_work(&self.starter, self)?;
        self.plan(Plan::Pace);
        self.begin()
    }

    /// It is not running, and does when it is started.
    pub(crate) fn begin(&self) -> Result {
        self.is_at_rest()?;
        check!(self.timer.start(Delta::ZERO));
        self.is_running()
    }

    /// As [`begin`](Self::begin), or it is running already.
    pub(crate) fn begin_again(&self) -> Result {
        check!(self.timer.start(Delta::ZERO));
        self.is_running()
    }

    pub(crate) fn is_running(&self) -> Result {
        let runs = self.runs();
        while self.runs() < runs + 3 {
            self.wait()?;
        }
        Ok(())
    }

    /// It is in the handler, which takes some time; with one processor, it was.
    fn is_inside(&self) -> Result {
        self.timer.cancel()?;
        self.plan(Plan::Long);
        let runs = self.runs();
        check!(self.starter.enqueue());
        // It is called on the processor that has started it: not this one, which is busy.
        for _ in 0..1000 {
            if self.runs() > runs && self.running.load(Ordering::SeqCst) {
                return Ok(());
            }
            udelay(Delta::from_millis(1));
        }
        for _ in 0..crate::TIMEOUT {
            if self.runs() > runs {
                return Ok(());
            }
            fsleep(Delta::from_millis(1));
        }
        check!(self.runs() > runs);
        Ok(())
    }

    /// It was not left running, and is not run any more.
    fn is_at_rest(&self) -> Result {
        check!(!self.running.load(Ordering::SeqCst));
        let runs = self.runs();
        fsleep(Delta::from_millis(20));
        check!(self.runs() == runs);
        check!(!self.failed.load(Ordering::SeqCst));
        Ok(())
    }

    /// It is not, nor can it be.
    pub(crate) fn is_stopped(&self) -> Result {
        check!(!self.running.load(Ordering::SeqCst));
        check!(!self.timer.start(Delta::ZERO));
        self.is_at_rest()?;
        check!(!self.timer.cancel()?);
        Ok(())
    }
}

impl Drop for Ticker<'_> {
    fn drop(&mut self) {
        if self.is_stopped().is_err() {
            pr_err!("FAILED: a timer when the data is dropped\n");
        }
    }
}

pub(crate) fn ticker<'a, 'bound>(data: &'a Data<'bound>) -> Result<&'a Ticker<'bound>> {
    data.kept.ticker.as_ref().ok_or(EINVAL)
}

/// It is run once each time, and not before it was said what it is.
pub(crate) fn runs(test: &mut Test<'_, '_>) -> Result {
    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let guard = lock.lock();
    check!(!cfg!(CONFIG_PREEMPT_COUNT) || test.dev.new_hrtimer().err() == Some(EINVAL));
    drop(guard);
    test.kept.ticker = Some(Ticker::new(test.dev)?);
    Ok(())
}

pub(crate) fn runs_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let ticker = ticker(data)?;
    let timer = &ticker.timer;
    ticker.is_stopped()?;
    dev.set_hrtimer(timer, ticker)?;
    dev.set_work(&ticker.starter, ticker)?;
    check!(dev.set_hrtimer(timer, ticker) == Err(EBUSY));
    check!(!ticker.idle.start(Delta::ZERO));
    for delay in [Delta::ZERO, Delta::from_nanos(-1), Delta::from_millis(30)] {
        let before = crate::now();
        check!(timer.start(delay));
        ticker.wait()?;
        let passed = ticker.last.load(Ordering::SeqCst) as i64 - before;
        check!(passed >= delay.as_nanos() && passed < 5_000_000_000);
    }
    check!(ticker.runs() == 3);

    // What was started can be taken back, and be started for another time.
    let long = Delta::from_secs(1_000_000);
    check!(timer.start(long));
    check!(timer.cancel()?);
    check!(!timer.cancel()?);
    check!(timer.start(Delta::from_nanos(i64::MAX)));
    ticker.is_at_rest()?;
    check!(timer.start(Delta::from_millis(1)));
    ticker.wait()?;
    check!(!timer.cancel()?);
    check!(ticker.runs() == 4);

    // It can be started anywhere.
    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let guard = lock.lock();
    check!(timer.start(Delta::ZERO));
    check!(!cfg!(CONFIG_PREEMPT_COUNT) || timer.cancel() == Err(EINVAL));
    drop(guard);
    ticker.wait()?;
    check!(ticker.runs() == 5);

    // It goes on, also without a time.
    ticker.plan(Plan::Haste);
    check!(timer.start(Delta::ZERO));
    for _ in 6..=8 {
        ticker.wait()?;
    }
    ticker.is_at_rest()?;
    check!(ticker.runs() == 8);

    // What is running can be taken back, which is waited for.
    for plan in [Plan::Pace, Plan::Start] {
        ticker.plan(plan);
        ticker.begin()?;
        timer.cancel()?;
        ticker.is_at_rest()?;
    }

    ticker.is_inside()?;
    timer.cancel()?;
    ticker.is_at_rest()?;

    // This is for the bus to take back.
    check!(timer.start(long));
    Ok(())
}

/// It goes on until the bus stops it.
pub(crate) fn again(test: &mut Test<'_, '_>) -> Result {
    test.kept.ticker = Some(Ticker::new(test.dev)?);
    Ok(())
}

pub(crate) use self::again as start_fails;

pub(crate) fn again_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    ticker(data)?.go_on(dev)
}

pub(crate) fn again_unbind(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let ticker = ticker(data)?;
    ticker.is_running()?;
    ticker.is_inside()
}

pub(crate) fn start_fails_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    again_start(dev, data)?;
    Err(EBUSY)
}
