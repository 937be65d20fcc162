//# the attribute by name | error[E0425]: cannot find value `DMA_ATTR_NO_KERNEL_MAPPING` in module `attrs`
pub fn smuggle() -> Attrs {
    attrs::DMA_ATTR_NO_WARN //~ attrs::DMA_ATTR_NO_KERNEL_MAPPING
}

//# the attribute by number | error[E0423]: cannot initialize a tuple struct which contains private fields
pub fn smuggle() -> Attrs {
    Attrs::default() //~ Attrs(1 << 4)
}

//# a read of memory without a mapping | error[E0599]: the method `read_val` exists for struct `CoherentHandle<'_>`, but its trait bounds were not satisfied
pub fn look(memory: CoherentHandle<'_>) -> usize {
    memory.size() //~ memory.read_val()
}

//# a field of memory without a mapping | error[E0599]: no method named `as_view` found for reference `&kernel::dma::CoherentHandle<'_>`
pub fn look(memory: &Coherent<'_, [u32; 1]>) -> u32 { //~ pub fn look(memory: &CoherentHandle<'_>) -> u32 {
    io_read!(memory, [build: 0])
}
