//# bus mastering in probe and remove | error[E0599]: no method named `set_master` found for reference `&kernel::pci::Device<kernel::device::Core<'_>>`
pub fn probe(dev: &pci::Device<Start<'_>>) { //~ pub fn probe(dev: &pci::Device<Core<'_>>) {
    dev.set_master()
}

//# bus mastering at any time | error[E0599]: no method named `set_master` found for reference `&kernel::pci::Device<kernel::device::Bound>`
pub fn later(dev: &pci::Device<Start<'_>>) { //~ pub fn later(dev: &pci::Device<Bound>) {
    dev.set_master()
}
