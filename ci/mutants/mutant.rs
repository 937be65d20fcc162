// SPDX-License-Identifier: GPL-2.0

//! Which mutant is on, in a kernel that has many.

extern "C" {
    static rust_mutant: u32;
    static mut rust_reached: [u8; 2048];
}

/// Notes that a function runs. The number of the mutant that is on.
#[inline]
pub fn on(function: usize) -> u32 {
    // SAFETY: There is a byte for each function, and others write nothing else to it than 0 and 1.
    unsafe { core::ptr::addr_of_mut!(rust_reached[function]).write_volatile(1) };
    // SAFETY: It is set before any of this runs.
    unsafe { core::ptr::addr_of!(rust_mutant).read_volatile() }
}
