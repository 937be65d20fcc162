//# a reference to shared memory | error[E0614]: type `Shared<u32>` cannot be dereferenced
pub fn look(memory: Coherent<'_, u32>) -> u32 {
    memory.read() //~ **memory
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

//# an index into memory that belongs to the device | error[E0608]: cannot index into a value of type `kernel::dma::Mapping<'_, Vec<u8, Kmalloc>, kernel::dma::FromDevice>`
pub fn look(mut mapping: Mapping<'_, KVec<u8>, FromDevice>) -> u8 {
    mapping.for_cpu()[0] //~ mapping[0]
}

//# a reference to memory that belongs to the device | error[E0614]: type `kernel::dma::Mapping<'_, Box<[u8; 64], Kmalloc>, kernel::dma::FromDevice>` cannot be dereferenced
pub fn look(mut mapping: Mapping<'_, KBox<[u8; 64]>, FromDevice>) -> [u8; 64] {
    *mapping.for_cpu() //~ *mapping
}

//# non-coherent memory that belongs to the device | error[E0614]: type `Mapping<'_, Allocated<u32>, kernel::dma::FromDevice>` cannot be dereferenced
pub fn look(mut memory: NonCoherent<'_, u32, FromDevice>) -> u32 {
    *memory.for_cpu() //~ *memory
}

//# the buffer within a mapping | error[E0616]: field `buffer` of struct `kernel::dma::Mapping` is private
pub fn look(mapping: Mapping<'_, KVec<u8>, FromDevice>) -> KVec<u8> {
    mapping.unmap() //~ mapping.buffer
}

//# a buffer after it was mapped | error[E0382]: borrow of moved value: `buffer`
pub fn look(dma: Dma<'_>, buffer: KVec<u8>) -> Result<u8> {
    let first = buffer[0]; //~ let mapping = Mapping::<_, FromDevice>::new(dma, buffer)?;
    let mapping = Mapping::<_, FromDevice>::new(dma, buffer)?; //~ let first = buffer[0];
    Ok(first)
}

//# an end of a mapping that the CPU looks at | error[E0505]: cannot move out of `mapping` because it is borrowed
pub fn end(mut mapping: Mapping<'_, KVec<u8>, FromDevice>) -> KVec<u8> {
    let guard = mapping.for_cpu();
    drop(guard); //~
    let buffer = mapping.unmap();
    buffer //~ drop(guard); buffer
}

//# a reference for longer than the guard | error[E0505]: cannot move out of `guard` because it is borrowed
pub fn look(mapping: &mut Mapping<'_, KVec<u8>, FromDevice>) -> u8 {
    let guard = mapping.for_cpu();
    let byte: &u8 = &guard[0];
    let byte = *byte; //~
    drop(guard);
    byte //~ *byte
}

//# two guards at once | error[E0499]: cannot borrow `*mapping` as mutable more than once at a time
pub fn twice(mapping: &mut Mapping<'_, KVec<u8>, Bidirectional>) -> Result {
    let first = mapping.for_cpu_range(0..64)?;
    drop(first); //~
    let second = mapping.for_cpu_range(64..128)?;
    drop(second); //~ drop(first); drop(second);
    Ok(())
}

//# a guard of a mapping that is shared | error[E0596]: cannot borrow `*mapping` as mutable, as it is behind a `&` reference
pub fn look(mapping: &mut Mapping<'_, KVec<u8>, FromDevice>) -> u8 { //~ pub fn look(mapping: &Mapping<'_, KVec<u8>, FromDevice>) -> u8 {
    mapping.for_cpu()[0]
}

//# an address that is used while the CPU has the memory | error[E0502]: cannot borrow `*mapping` as immutable because it is also borrowed as mutable
pub fn send(mapping: &mut Mapping<'_, KVec<u8>, ToDevice>) -> DmaAddress {
    let guard = mapping.for_cpu();
    drop(guard); //~
    let addr = mapping.dma_address();
    addr //~ drop(guard); addr
}

//# a write to what only the device writes | error[E0594]: cannot assign to data in dereference of `CpuGuard<'_, [u8], kernel::dma::FromDevice>`
pub fn write(mapping: &mut Mapping<'_, KVec<u8>, Bidirectional>) { //~ pub fn write(mapping: &mut Mapping<'_, KVec<u8>, FromDevice>) {
    mapping.for_cpu()[0] = 1;
}

//# memory of a scatter-gather table while it is mapped | error[E0608]: cannot index into a value of type `kernel::dma::SGTable<'_, Vec<u8, Vmalloc>, kernel::dma::FromDevice>`
pub fn read(mut table: SGTable<'_, VVec<u8>, FromDevice>) -> u8 {
    table.for_cpu()[0] //~ table[0]
}

//# pages of a scatter-gather table while they are mapped | error[E0616]: field `memory` of struct `kernel::dma::SGTable` is private
pub fn read(mut table: SGTable<'_, Pages, FromDevice>) -> Result {
    table.for_cpu().copy_to_slice(0, &mut [0; 4]) //~ table.memory.copy_to_slice(0, &mut [0; 4])
}

//# what the CPU was given, after it was given back | error[E0505]: cannot move out of `guard` because it is borrowed
pub fn read(mut table: SGTable<'_, VVec<u8>, FromDevice>) -> u8 {
    let guard = table.for_cpu();
    let bytes: &[u8] = &guard;
    let byte = bytes[0]; //~ drop(guard); let byte = bytes[0];
    byte
}

//# unmapped memory while a guard has it | error[E0505]: cannot move out of `table` because it is borrowed
pub fn read(mut table: SGTable<'_, VVec<u8>, FromDevice>) -> (VVec<u8>, u8) {
    let guard = table.for_cpu();
    let byte = guard[0];
    drop(guard); //~
    let memory = table.unmap();
    (memory, byte) //~ (memory, guard[0])
}

//# segments of a table that was unmapped | error[E0505]: cannot move out of `table` because it is borrowed
pub fn after(table: SGTable<'_, Pages, FromDevice>) -> usize {
    let segments = table.iter();
    let count = segments.count(); //~ table.unmap();
    count //~ segments.count()
}

//# writing to memory that only the device writes | error[E0594]: cannot assign to data in dereference of `SGTableForCpu<'_, '_, Vec<u8, Vmalloc>, kernel::dma::FromDevice>`
pub fn write(mut table: SGTable<'_, VVec<u8>, ToDevice>) { //~ pub fn write(mut table: SGTable<'_, VVec<u8>, FromDevice>) {
    table.for_cpu()[0] = 1;
}

//# pages exchanged for others while they are mapped | error[E0277]: the size for values of type `[Page]` cannot be known at compilation time
pub fn swap(mut table: SGTable<'_, Pages, ToDevice>, mut pages: Pages) {
    let bytes: &mut PageBytes = &mut table.for_cpu();
    let others: &mut PageBytes = &mut pages;
    core::mem::swap(&mut 1, &mut 2); //~ core::mem::swap(bytes, others);
}

//# a reference to an object that is shared | error[E0308]: mismatched types
pub fn reference<'a>(object: &'a PoolBox<&'a Pool<'a, u32>>) -> &'a u32 { //~ pub fn reference<'a>(object: &'a PoolCoherent<&'a Pool<'a, u32>>) -> &'a u32 {
    object
}

//# the address of an object that is not shared | error[E0599]: no method named `dma_address` found
pub fn address(object: PoolBox<&Pool<'_, u32>>) -> DmaAddress {
    object.share().dma_address() //~ object.dma_address()
}

//# an object of the CPU after it was shared | error[E0382]: borrow of moved value: `object`
pub fn share<'a>(mut object: PoolBox<&'a Pool<'a, u32>>) -> PoolCoherent<&'a Pool<'a, u32>> {
    let shared = ();
    *object = 1; //~ let shared = object.share(); *object = 1;
    object.share() //~ shared
}
