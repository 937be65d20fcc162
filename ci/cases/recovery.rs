// SPDX-License-Identifier: GPL-2.0

//! Recovery from errors; `cases.sh` injects them into the port above two devices.

use crate::{
    suspend::{is_muted, moves, park, sleeper, started as up, BEFORE},
    work::worker,
    Data,
};
use core::{
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};
use kernel::{
    device::{Bound, Core, Start},
    dma::Parked,
    pci::{self, ChannelState, ErsResult},
    prelude::*,
};

pub(crate) use crate::suspend::{
    line, line as fails, line as gives_up, line as goes_on, line as not_reset, line as unable,
    message as fatal,
};

/// What a device was told, and how often.
#[derive(Default)]
pub(crate) struct Told {
    detected: AtomicUsize,
    reset: AtomicUsize,
    resumed: AtomicUsize,
}

impl Told {
    fn all(&self) -> [usize; 3] {
        [&self.detected, &self.reset, &self.resumed].map(|times| times.load(Ordering::SeqCst))
    }
}

fn told<'a>(data: &'a Data<'_>) -> &'a Told {
    &data.kept.told
}

/// C does not say what was wrong.
fn noted(result: Result) -> Result {
    result.inspect_err(|_| pr_err!("FAILED: recovery\n"))
}

pub(crate) fn started<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    up(dev, data)
}

/// It is up; the one that was told before is stopped, and nothing of it was freed.
fn last(data: &Data<'_>) -> Result {
    moves(data)?;
    worker(data)?.is_running()?;
    sleeper(data)?.note();
    let this = ptr::from_ref(data).cast_mut().cast();
    // SAFETY: It is still there, and shared: `cases.sh` unbinds no device while it waits for this.
    match unsafe { BEFORE.swap(this, Ordering::SeqCst).as_ref() } {
        Some(before) => {
            check!(before.dma()?.parked() != Parked::default());
            worker(before)?.is_stopped()?;
            is_muted(before)
        }
        None => Ok(()),
    }
}

fn detected(data: &Data<'_>, state: ChannelState, expected: ChannelState) -> Result {
    told(data).detected.fetch_add(1, Ordering::SeqCst);
    check!(state == expected);
    last(data)
}

pub(crate) fn frozen(_: &pci::Device<Bound>, data: &Data<'_>, state: ChannelState) -> ErsResult {
    let _ = noted(detected(data, state, ChannelState::Frozen));
    ErsResult::NeedReset
}

pub(crate) fn normal(_: &pci::Device<Bound>, data: &Data<'_>, state: ChannelState) -> ErsResult {
    let _ = noted(detected(data, state, ChannelState::Normal));
    ErsResult::NeedReset
}

/// Where the channel is frozen, there is a reset all the same.
pub(crate) fn optimistic(
    _: &pci::Device<Bound>,
    data: &Data<'_>,
    state: ChannelState,
) -> ErsResult {
    told(data).detected.fetch_add(1, Ordering::SeqCst);
    let _ = noted(match state {
        ChannelState::Normal => moves(data),
        _ => last(data),
    });
    ErsResult::CanRecover
}

pub(crate) fn pessimistic(
    _: &pci::Device<Bound>,
    data: &Data<'_>,
    state: ChannelState,
) -> ErsResult {
    let _ = noted(detected(data, state, ChannelState::Frozen));
    ErsResult::Disconnect
}

/// It is quiet, and nothing is parked any more.
fn begin(data: &Data<'_>) -> Result {
    told(data).reset.fetch_add(1, Ordering::SeqCst);
    BEFORE.store(ptr::null_mut(), Ordering::SeqCst);
    let dma = data.dma()?;
    check!(dma.parked() == Parked::default());
    is_muted(data)?;
    worker(data)?.begin()?;
    // What is dropped is kept again, though mastering is off yet.
    park(dma)
}

fn end(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    check!(dev.reset_and_set_master() == Err(EBUSY));
    worker(data)?.is_running()?;
    moves(data)
}

/// The reset of the slot serves for one.
fn recovers(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    begin(data)?;
    dev.reset_and_set_master()?;
    end(dev, data)
}

pub(crate) fn reset(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    noted(recovers(dev, data))
}

/// There was none.
fn claims(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    begin(data)?;
    check!(dev.reset_and_set_master() == Err(ENOTTY));
    sleeper(data)?.edu.set_master(dev)?;
    end(dev, data)
}

pub(crate) fn claimed(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    noted(claims(dev, data))
}

/// All that was brought up is stopped again.
pub(crate) fn reset_fails(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    reset(dev, data)?;
    sleeper(data)?.note();
    Err(EIO)
}

fn goes_on_again(data: &Data<'_>) -> Result {
    told(data).resumed.fetch_add(1, Ordering::SeqCst);
    worker(data)?.is_running()?;
    moves(data)
}

pub(crate) fn resumed(_: &pci::Device<Start<'_>>, data: &Data<'_>) {
    let _ = noted(goes_on_again(data));
}

/// Says how often it was told what. It is up.
pub(crate) fn unbind(_: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    say(data);
    worker(data)?.is_running()?;
    moves(data)
}

fn say(data: &Data<'_>) {
    BEFORE.store(ptr::null_mut(), Ordering::SeqCst);
    pr_info!("told {:?}\n", told(data).all());
}

/// It was stopped, unless there was no error; and it has its registers.
pub(crate) fn fails_unbind(dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    if told(data).all()[0] == 0 {
        return unbind(dev, data);
    }
    say(data);
    check!(data.dma()?.parked() == Parked::default());
    worker(data)?.is_stopped()?;
    is_muted(data)
}

/// It was stopped, unless the system was suspended after that. What was parked is, and nobody has
/// given it its registers back.
pub(crate) fn gives_up_unbind(dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    if told(data).all()[0] == 0 || sleeper(data)?.resumed() == 1 {
        return unbind(dev, data);
    }
    say(data);
    check!(data.dma()?.parked() != Parked::default());
    worker(data)?.is_stopped()
}
