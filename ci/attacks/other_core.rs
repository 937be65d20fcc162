// SPDX-License-Identifier: GPL-2.0

//! A crate that calls itself `core`, with macros and functions of its own: what the kernel's macros
//! expand to, some of it in `unsafe` blocks, makes no use of those.

#![allow(missing_docs, unreachable_pub, unused_extern_crates, unused_imports)]

extern crate core as real;
extern crate self as core;

pub use real::{
    any, cell, clone, cmp, column, concat, convert, default, file, fmt, format_args, hint, include,
    line, marker, mem, module_path, ops, option, pin, result, stringify, sync,
};

#[macro_export]
macro_rules! assert {
    ($($t:tt)*) => {
        const _: () = ();
    };
}

pub mod ptr {
    pub use crate::addr_of_mut_of_mine as addr_of_mut;
    pub use real::ptr::*;
}

#[macro_export]
macro_rules! addr_of_mut_of_mine {
    ($e:expr) => {{
        // In somebody else's unsafe block it could do anything.
        $crate::note();
        real::ptr::addr_of_mut!($e)
    }};
}

static TAKEN: real::sync::atomic::AtomicUsize = real::sync::atomic::AtomicUsize::new(0);

pub fn note() {
    TAKEN.fetch_add(1, real::sync::atomic::Ordering::Relaxed);
}

use kernel::{
    device::{Core, Start},
    dma::{Coherent, Dma, DmaMask},
    dma_struct,
    init::pin_init_scope,
    io_read, io_write, pci,
    prelude::*,
};

dma_struct! {
    pub struct S {
        pub a: [u8; 4],
        pub b: u32,
    }
}

struct Data<'bound> {
    dma: Dma<'bound>,
    memory: Coherent<'bound, S>,
}

struct Attack;
const EDU: pci::DeviceId = pci::DeviceId::from_id(pci::Vendor::from_raw(0x1234), 0x11e8);

kernel::pci_device_table!(TABLE, (), [(EDU, ())]);

impl pci::Driver for Attack {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;
    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        _: Option<&'bound ()>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            dev.enable_device_mem()?;
            let mut setup = dev.dma_setup()?;
            setup.set_mask_and_coherent(DmaMask::new::<28>())?;
            let dma = setup.finish()?;
            let memory = Coherent::zeroed(dma, GFP_KERNEL)?;
            Ok(Data { dma, memory })
        })
    }

    fn start(_: &pci::Device<Start<'_>>, data: Pin<&Data<'_>>) -> Result {
        let Data { dma, memory } = data.get_ref();
        io_write!(memory, .b, 7);
        let found = (
            io_read!(memory, .b),
            io_read!(memory, .a[build: 3]),
            memory.size(),
        );
        let taken = TAKEN.load(real::sync::atomic::Ordering::Relaxed);
        if found != (7, 0, 8) || taken != 0 || dma.parked().count != 0 {
            pr_err!("HIT: {:?}, {} times\n", found, taken);
        }
        pr_info!("not hit\n");
        Ok(())
    }
}

kernel::module_pci_driver! {
    type: Attack,
    name: "other_core",
    author: "Seed dfb84e63 maintainers",
    description: "A crate that calls itself core",
    license: "GPL",
}
