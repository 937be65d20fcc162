// SPDX-License-Identifier: GPL-2.0

//! Work on several CPUs at once.

use core::mem::transmute;
use kernel::{prelude::*, sync::Completion, workqueue};

/// Calls `work` with each number up to `count`, in as many work items; returns when all are done.
pub(crate) fn run(count: usize, work: &(dyn Fn(usize) + Sync)) -> Result {
    let done = KBox::pin_init(Completion::new(), GFP_KERNEL)?;
    // SAFETY: Both are borrowed until this function returns, which is not before all work items are
    // done with them: each completes the last, and C's `complete()` leaves it alone by then.
    let (work, completed) = unsafe {
        (
            transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(work),
            transmute::<&Completion, &'static Completion>(&done),
        )
    };
    let mut begun = Ok(0);
    for number in 0..count {
        let item = workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            work(number);
            completed.complete();
        });
        begun = item.map(|()| number + 1).map_err(|_| (number, ENOMEM));
        if begun.is_err() {
            break;
        }
    }
    for _ in 0..begun.unwrap_or_else(|(begun, _)| begun) {
        done.wait_for_completion();
    }
    begun.map(|_| ()).map_err(|(_, error)| error)
}
