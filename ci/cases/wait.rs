// SPDX-License-Identifier: GPL-2.0

//! Waiting for completions, and for what is read to change.

use crate::{several::run, Test};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{
    io::poll::{read_poll_timeout, read_poll_timeout_atomic},
    new_spinlock,
    prelude::*,
    sync::{Completion, SpinLock},
    time::{
        delay::{fsleep, udelay},
        ktime_ms_delta, msecs_to_jiffies, Delta, Jiffies, Ktime,
    },
};

fn completion() -> Result<Pin<KBox<Completion>>> {
    KBox::pin_init(Completion::new(), GFP_KERNEL)
}

/// Each wait takes one; without any it is over when the time is.
pub(crate) fn one_by_one(_test: &mut Test<'_, '_>) -> Result {
    let done = completion()?;
    let begin = Ktime::ktime_get();
    for timeout in [0, 1, msecs_to_jiffies(50)] {
        check!(done.wait_for_completion_timeout(timeout) == Err(ETIMEDOUT));
    }
    check!(ktime_ms_delta(Ktime::ktime_get(), begin) >= 40);
    check!(!done.try_wait_for_completion());
    for _ in 0..5 {
        done.complete();
    }
    done.wait_for_completion();
    check!(done.wait_for_completion_interruptible() == Ok(()));
    check!(done.wait_for_completion_killable() == Ok(()));
    check!(done.wait_for_completion_timeout(0).is_ok());
    check!(done.try_wait_for_completion());
    check!(!done.try_wait_for_completion());
    check!(done.wait_for_completion_timeout(1) == Err(ETIMEDOUT));
    Ok(())
}

pub(crate) fn all(_test: &mut Test<'_, '_>) -> Result {
    let done = completion()?;
    done.complete_all();
    for _ in 0..10 {
        done.wait_for_completion();
        check!(done.try_wait_for_completion());
        check!(done.wait_for_completion_timeout(0).is_ok());
    }
    Ok(())
}

/// One wakes up the others, all of which sleep.
pub(crate) fn others(_test: &mut Test<'_, '_>) -> Result {
    let (go, woken) = (completion()?, AtomicUsize::new(0));
    // As C reckons, the second is less than 0.
    let timeouts = [
        msecs_to_jiffies(crate::TIMEOUT as u32),
        Jiffies::MAX,
        Jiffies::MAX / 2,
    ];
    run(4, &|number| {
        if number == 3 {
            fsleep(Delta::from_millis(50));
            go.complete_all();
        } else if go.wait_for_completion_timeout(timeouts[number]).is_ok() {
            woken.fetch_add(1, Ordering::SeqCst);
        }
    })?;
    check!(woken.into_inner() == 3);
    Ok(())
}

/// What is read counts, and takes longer than the time there is.
pub(crate) fn polls(_test: &mut Test<'_, '_>) -> Result {
    let short = Delta::from_millis(1);
    let mut count = 0;
    let mut slow = || {
        count += 1;
        // By the clock of the time-out. A delay may be measured by another.
        let begin = Ktime::ktime_get();
        while ktime_ms_delta(Ktime::ktime_get(), begin) < 2 {
            udelay(Delta::from_micros(100));
        }
        Ok(count)
    };

    // It is read once more when the time is up, and not again.
    check!(read_poll_timeout(&mut slow, |n| *n == 2, Delta::ZERO, short) == Ok(2));
    check!(read_poll_timeout(&mut slow, |n| *n == 5, Delta::ZERO, short) == Err(ETIMEDOUT));
    check!(slow() == Ok(5));

    // As often as was said.
    check!(read_poll_timeout_atomic(&mut slow, |n| *n == 8, short, 2) == Err(ETIMEDOUT));
    check!(read_poll_timeout_atomic(&mut slow, |n| *n == 9, short, 2) == Ok(9));
    check!(read_poll_timeout_atomic(&mut slow, |_| true, short, 0) == Err(ETIMEDOUT));
    check!(slow() == Ok(10));

    // An error is the end.
    let mut fails = || {
        count += 1;
        Err::<(), _>(EIO)
    };
    check!(read_poll_timeout(&mut fails, |_| true, Delta::ZERO, short) == Err(EIO));
    check!(read_poll_timeout_atomic(&mut fails, |_| true, short, 5) == Err(EIO));

    // Where one may not sleep, nothing is read.
    let lock: Pin<KBox<SpinLock<()>>> = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let guard = lock.lock();
    let early = read_poll_timeout(&mut fails, |_| true, Delta::ZERO, short);
    drop(guard);
    check!(early == Err(EINVAL));
    check!(count == 12);
    Ok(())
}
