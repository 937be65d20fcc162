// SPDX-License-Identifier: GPL-2.0

//! The module's own initialisation is called again: from a callback, and from work that goes on until
//! the driver is unregistered, and then would register it for a module that is gone.

use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{
    device::Core,
    init::pin_init_scope,
    pci,
    prelude::*,
    time::{delay::fsleep, Delta},
    workqueue, Module,
};

static REFUSED: AtomicUsize = AtomicUsize::new(0);

struct Attack;
const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

fn again() -> Result {
    match <DriverModule as Module>::init(&THIS_MODULE) {
        Ok(again) => {
            pr_err!("HIT: registered again\n");
            core::mem::forget(again);
            Ok(())
        }
        Err(error) => {
            REFUSED.fetch_add(1, Ordering::Relaxed);
            Err(error)
        }
    }
}

struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        let _ = again();
        pr_info!("refused {} times\n", REFUSED.load(Ordering::Relaxed));
        pr_info!("not hit\n");
    }
}

impl pci::Driver for Attack {
    type IdInfo = ();
    type Data<'bound> = Last;
    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        _: &'bound pci::Device<Core<'_>>,
        _: Option<&'bound ()>,
    ) -> impl PinInit<Last, Error> + 'bound {
        pin_init_scope(move || {
            if again() != Err(EBUSY) {
                return Err(EIO);
            }
            // For less time than the module is there: it is the code of the work, too.
            let _ = workqueue::system().try_spawn(GFP_KERNEL, || {
                for _ in 0..100 {
                    if again().is_ok() {
                        return;
                    }
                    fsleep(Delta::from_millis(1));
                }
            });
            Ok(Last)
        })
    }
}

kernel::module_pci_driver! {
    type: Attack,
    name: "init_again",
    author: "Seed dfb84e63 maintainers",
    description: "A module that is initialised again",
    license: "GPL",
}
