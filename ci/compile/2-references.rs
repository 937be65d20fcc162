//# a reference to shared memory | error[E0614]: type `kernel::dma::Coherent<'_, u32>` cannot be dereferenced
pub fn look(memory: Coherent<'_, u32>) -> u32 {
    memory.read() //~ *memory
}

//# an index into shared memory | error[E0608]: cannot index into a value of type `kernel::dma::Coherent<'_, [u32]>`
pub fn look(memory: Coherent<'_, [u32]>) -> Result<u32> {
    Ok(dma_read!(memory, [0]?)) //~ Ok(memory[0])
}

//# the address of memory that the CPU owns | error[E0599]: no method named `dma_address` found for struct `kernel::dma::CoherentBox
pub fn address(memory: CoherentBox<'_, u32>) -> DmaAddress {
    memory.share().dma_address() //~ memory.dma_address()
}

//# memory that the CPU owned, after it was shared | error[E0382]: borrow of moved value: `memory`
pub fn share<'bound>(mut memory: CoherentBox<'bound, u32>) -> Coherent<'bound, u32> {
    *memory = 1; //~ let shared = memory.share();
    let shared = memory.share(); //~ *memory = 1;
    shared
}

//# memory that is shared while it is borrowed | error[E0505]: cannot move out of `memory` because it is borrowed
pub fn share(memory: CoherentBox<'_, u32>) -> u32 {
    let value: &u32 = &memory;
    let value = *value; //~
    let _ = memory.share();
    value //~ *value
}
