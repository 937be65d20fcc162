// SPDX-License-Identifier: GPL-2.0

//! Waiting for completions.

use crate::{several::run, Test};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{
    prelude::*,
    sync::Completion,
    time::{delay::fsleep, ktime_ms_delta, msecs_to_jiffies, Delta, Jiffies, Ktime},
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
