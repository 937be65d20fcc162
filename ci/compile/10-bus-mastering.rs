//# bus mastering in probe and unbind | error[E0599]: no method named `set_master` found for reference `&kernel::pci::Device<kernel::device::Core<'_>>`
pub fn probe(dev: &pci::Device<Start<'_>>) { //~ pub fn probe(dev: &pci::Device<Core<'_>>) {
    // SAFETY: Not called.
    unsafe { dev.set_master() }
}

//# bus mastering at any time | error[E0599]: no method named `set_master` found for reference `&kernel::pci::Device<kernel::device::Bound>`
pub fn later(dev: &pci::Device<Start<'_>>) { //~ pub fn later(dev: &pci::Device<Bound>) {
    // SAFETY: Not called.
    unsafe { dev.set_master() }
}

//# bus mastering without a claim | error[E0133]: call to unsafe function
pub fn start(dev: &pci::Device<Start<'_>>) {
    // SAFETY: Not called.
    unsafe { dev.set_master() } //~ dev.set_master()
}

//# a reset in probe and unbind, which would turn bus mastering on | error[E0599]: no method named `reset_and_set_master` found for reference `&kernel::pci::Device<kernel::device::Core<'_>>`
pub fn probe(dev: &pci::Device<Start<'_>>) -> Result { //~ pub fn probe(dev: &pci::Device<Core<'_>>) -> Result {
    dev.reset_and_set_master()
}

//# a reset at any time | error[E0599]: no method named `reset_and_set_master` found for reference `&kernel::pci::Device<kernel::device::Bound>`
pub fn later(dev: &pci::Device<Start<'_>>) -> Result { //~ pub fn later(dev: &pci::Device<Bound>) -> Result {
    dev.reset_and_set_master()
}
