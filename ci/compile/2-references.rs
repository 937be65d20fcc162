//# a reference to shared memory | error[E0614]: type `kernel::dma::Coherent<'_, u32>` cannot be dereferenced
pub fn look(memory: Coherent<'_, u32>) -> u32 {
    memory.read_val() //~ *memory
}

//# a reference to a part of shared memory | error[E0614]: type `kernel::dma::CoherentView<'_, u32>` cannot be dereferenced
pub fn look(memory: CoherentView<'_, u32>) -> u32 {
    memory.read_val() //~ *memory
}

//# a reference to shared memory, without a claim | error[E0133]: call to unsafe function
pub fn look<'a>(memory: &'a Coherent<'_, u32>) -> &'a u32 {
    // SAFETY: Not called.
    unsafe { memory.as_ref() } //~ memory.as_ref()
}

//# a mutable reference to shared memory, without a claim | error[E0133]: call to unsafe function
pub fn look<'a>(memory: &'a mut Coherent<'_, u32>) -> &'a mut u32 {
    // SAFETY: Not called.
    unsafe { memory.as_mut() } //~ memory.as_mut()
}

//# shared memory that is freed early, without a claim | error[E0133]: call to unsafe function
pub fn free(memory: Coherent<'_, u32>) {
    // SAFETY: Not called.
    unsafe { memory.free() } //~ memory.free()
}

//# memory without a mapping that is freed early, without a claim | error[E0133]: call to unsafe function
pub fn free(memory: CoherentHandle<'_>) {
    // SAFETY: Not called.
    unsafe { memory.free() } //~ memory.free()
}

//# an object of a pool that is freed early, without a claim | error[E0133]: call to unsafe function
pub fn free(object: PoolCoherent<&Pool<'_, u32>>) {
    // SAFETY: Not called.
    unsafe { object.free() } //~ object.free()
}

//# a reference to an object of a pool, without a claim | error[E0133]: call to unsafe function
pub fn look<'a>(object: &'a mut PoolCoherent<&'a Pool<'a, u32>>) -> &'a mut u32 {
    // SAFETY: Not called.
    unsafe { object.as_mut() } //~ object.as_mut()
}

//# the end of a mapping, without a claim | error[E0133]: call to unsafe function
pub fn end(mapping: Mapping<'_, KVec<u8>, FromDevice>) -> KVec<u8> {
    // SAFETY: Not called.
    unsafe { mapping.unmap() } //~ mapping.unmap()
}

//# the end of a mapping that the device only reads, without a claim | error[E0133]: call to unsafe function
pub fn end(mapping: Mapping<'_, KVec<u8>, ToDevice>) -> KVec<u8> {
    // SAFETY: Not called.
    unsafe { mapping.unmap() } //~ mapping.unmap()
}

//# the end of a table, without a claim | error[E0133]: call to unsafe function
pub fn end(table: SGTable<Owned<'_, Pages, FromDevice>>) -> Pages {
    // SAFETY: Not called.
    unsafe { table.unmap() } //~ table.unmap()
}

//# a reference to mapped memory, without a claim | error[E0133]: call to unsafe function
pub fn look(mapping: &mut Mapping<'_, KVec<u8>, FromDevice>) -> u8 {
    let mut guard = mapping.for_cpu();
    // SAFETY: Not called.
    let bytes: &mut [u8] = unsafe { guard.as_mut() }; //~ let bytes: &mut [u8] = guard.as_mut();
    bytes[0]
}

//# a reference to the elements of a table, without a claim | error[E0133]: call to unsafe function
pub fn look(table: &mut SGTable<Owned<'_, VVec<u8>, FromDevice>>) -> u8 {
    let mut guard = table.for_cpu();
    // SAFETY: Not called.
    let bytes: &mut [u8] = unsafe { guard.as_mut() }; //~ let bytes: &mut [u8] = guard.as_mut();
    bytes[0]
}

//# mapped memory as a str, whose bytes the device may change | error[E0614]: type `CpuGuard<'_, [u8], kernel::dma::FromDevice>` cannot be dereferenced
pub fn look(mapping: &mut Mapping<'_, KVec<u8>, FromDevice>) -> Result {
    let guard = mapping.for_cpu();
    let mut copy = [0; 64];
    io_project!(&guard, [try: ..64]).copy_to_slice(&mut copy);
    let bytes: &[u8] = &copy; //~ let bytes: &[u8] = &*guard;
    core::str::from_utf8(bytes).map_err(|_| EINVAL)?;
    Ok(())
}

//# mapped memory as a str, by coercion | error[E0308]: mismatched types
pub fn look(mapping: &mut Mapping<'_, KVec<u8>, Bidirectional>) -> Result {
    let guard = mapping.for_cpu();
    let mut copy = [0; 64];
    io_project!(&guard, [try: ..64]).copy_to_slice(&mut copy);
    let bytes: &[u8] = &copy; //~ let bytes: &[u8] = &guard;
    core::str::from_utf8(bytes).map_err(|_| EINVAL)?;
    Ok(())
}

//# a write, behind a reference, to what the device reads | error[E0599]: the method `copy_write` exists for struct `CpuGuard<'_, [u8; 64], ToDevice>`, but its trait bounds were not satisfied
pub fn write(mapping: &mut Mapping<'_, KBox<[u8; 64]>, ToDevice>) -> u8 {
    let mut guard = mapping.for_cpu();
    let bytes: &[u8; 64] = &guard;
    let byte = bytes[0]; //~ guard.copy_write([1; 64]);
    guard[0] = 1; //~
    byte //~ bytes[0]
}

//# a macro's write, behind a reference, to what the device reads | error[E0599]: the method `as_view` exists for reference `&CpuGuard<'_, [u8], ToDevice>`, but its trait bounds were not satisfied
pub fn write(mapping: &mut Mapping<'_, KVec<u8>, Bidirectional>) -> Result { //~ pub fn write(mapping: &mut Mapping<'_, KVec<u8>, ToDevice>) -> Result {
    let guard = mapping.for_cpu();
    io_write!(&guard, [try: 0], 1);
    Ok(())
}

//# a macro's write, behind a reference, to elements of a table | error[E0599]: the method `as_view` exists for reference `&SGTableForCpu<'_, '_, Vec<u8, Vmalloc>, ToDevice>`, but its trait bounds were not satisfied
pub fn write(table: &mut SGTable<Owned<'_, VVec<u8>, Bidirectional>>) -> Result { //~ pub fn write(table: &mut SGTable<Owned<'_, VVec<u8>, ToDevice>>) -> Result {
    let guard = table.for_cpu();
    io_write!(&guard, [try: 0], 1);
    Ok(())
}

//# an index into shared memory | error[E0608]: cannot index into a value of type `kernel::dma::Coherent<'_, [u32]>`
pub fn look(memory: Coherent<'_, [u32]>) -> Result<u32> {
    Ok(io_read!(memory, [try: 0])) //~ Ok(memory[0])
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
pub fn look(mut mapping: Mapping<'_, KVec<u8>, FromDevice>) -> Result<u8> {
    Ok(io_read!(&mapping.for_cpu(), [try: 0])) //~ Ok(mapping[0])
}

//# an index into memory that the device may write | error[E0608]: cannot index into a value of type `CpuGuard<'_, [u8], kernel::dma::FromDevice>`
pub fn look(mut mapping: Mapping<'_, KVec<u8>, FromDevice>) -> Result<u8> {
    Ok(io_read!(&mapping.for_cpu(), [try: 0])) //~ Ok(mapping.for_cpu()[0])
}

//# a reference to memory that belongs to the device | error[E0614]: type `kernel::dma::Mapping<'_, Box<[u8; 64], Kmalloc>, kernel::dma::FromDevice>` cannot be dereferenced
pub fn look(mut mapping: Mapping<'_, KBox<[u8; 64]>, FromDevice>) -> [u8; 64] {
    mapping.for_cpu().copy_read() //~ *mapping
}

//# a reference to memory that the device may write | error[E0614]: type `CpuGuard<'_, [u8; 64], kernel::dma::FromDevice>` cannot be dereferenced
pub fn look(mut mapping: Mapping<'_, KBox<[u8; 64]>, FromDevice>) -> [u8; 64] {
    mapping.for_cpu().copy_read() //~ *mapping.for_cpu()
}

//# non-coherent memory that belongs to the device | error[E0614]: type `Mapping<'_, Allocated<u32>, kernel::dma::FromDevice>` cannot be dereferenced
pub fn look(mut memory: NonCoherent<'_, u32, FromDevice>) -> u32 {
    memory.for_cpu().read_val() //~ *memory
}

//# the buffer within a mapping | error[E0609]: no field `buffer` on type
pub fn look(mapping: Mapping<'_, KVec<u8>, FromDevice>) -> KVec<u8> {
    // SAFETY: Not called.
    unsafe { mapping.unmap() } //~ mapping.buffer
}

//# a buffer after it was mapped | error[E0382]: borrow of moved value: `buffer`
pub fn look(dma: Dma<'_>, buffer: KVec<u8>) -> Result<u8> {
    let first = buffer[0]; //~ let mapping = Mapping::<_, FromDevice>::new(dma, buffer)?;
    let mapping = Mapping::<_, FromDevice>::new(dma, buffer)?; //~ let first = buffer[0];
    Ok(first)
}

//# an end of a mapping that the CPU looks at | error[E0505]: cannot move out of `mapping` because it is borrowed
pub fn end(mut mapping: Mapping<'_, KVec<u8>, FromDevice>) {
    let guard = mapping.for_cpu();
    drop(guard); //~
    drop(mapping); //~ drop(mapping); drop(guard);
}

//# a reference for longer than the guard | error[E0505]: cannot move out of `guard` because it is borrowed
pub fn look(mapping: &mut Mapping<'_, KVec<u8>, ToDevice>) -> u8 {
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
pub fn look(mapping: &mut Mapping<'_, KVec<u8>, FromDevice>) -> Result<u8> { //~ pub fn look(mapping: &Mapping<'_, KVec<u8>, FromDevice>) -> Result<u8> {
    Ok(io_read!(&mapping.for_cpu(), [try: 0]))
}

//# an address that is used while the CPU has the memory | error[E0502]: cannot borrow `*mapping` as immutable because it is also borrowed as mutable
pub fn send(mapping: &mut Mapping<'_, KVec<u8>, ToDevice>) -> DmaAddress {
    let guard = mapping.for_cpu();
    drop(guard); //~
    let addr = mapping.dma_address();
    addr //~ drop(guard); addr
}

//# memory of a scatter-gather table while it is mapped | error[E0608]: cannot index into a value of type `kernel::scatterlist::SGTable<kernel::scatterlist::Owned<'_, Vec<u8, Vmalloc>, kernel::dma::ToDevice>>`
pub fn read(mut table: SGTable<Owned<'_, VVec<u8>, ToDevice>>) -> u8 {
    table.for_cpu()[0] //~ table[0]
}

//# memory of a scatter-gather table that the device may write | error[E0608]: cannot index into a value of type `SGTableForCpu<'_, '_, Vec<u8, Vmalloc>, kernel::dma::FromDevice>`
pub fn read(mut table: SGTable<Owned<'_, VVec<u8>, ToDevice>>) -> u8 { //~ pub fn read(mut table: SGTable<Owned<'_, VVec<u8>, FromDevice>>) -> u8 {
    table.for_cpu()[0]
}

//# what the CPU was given, after it was given back | error[E0505]: cannot move out of `guard` because it is borrowed
pub fn read(mut table: SGTable<Owned<'_, VVec<u8>, ToDevice>>) -> u8 {
    let guard = table.for_cpu();
    let bytes: &[u8] = &guard;
    let byte = bytes[0]; //~ drop(guard); let byte = bytes[0];
    byte
}

//# unmapped memory while a guard has it | error[E0505]: cannot move out of `table` because it is borrowed
pub fn read(mut table: SGTable<Owned<'_, VVec<u8>, ToDevice>>) -> u8 {
    let guard = table.for_cpu();
    let byte = guard[0];
    drop(guard); //~
    drop(table);
    byte //~ guard[0]
}

//# segments of a table that was unmapped | error[E0505]: cannot move out of `table` because it is borrowed
pub fn after(table: SGTable<Owned<'_, Pages, FromDevice>>) -> usize {
    let segments = table.iter();
    let count = segments.count(); //~ drop(table);
    count //~ segments.count()
}

//# a borrowed table for longer than the one that it is of | error[E0515]: cannot return value referencing function parameter `table`
pub fn lend<'a>(table: &'a SGTable<Owned<'a, Pages, FromDevice>>) -> &'a SGTable { //~ pub fn lend<'a>(table: SGTable<Owned<'a, Pages, FromDevice>>) -> &'a SGTable {
    &*table
}

//# a table of C, without a claim | error[E0133]: call to unsafe function
pub fn lend<'a>(table: *mut kernel::bindings::sg_table) -> &'a SGTable {
    // SAFETY: Not called.
    unsafe { SGTable::from_raw(table) } //~ SGTable::from_raw(table)
}

//# memory of a driver's own for a mapping, without a claim | error[E0200]: the trait `kernel::dma::Mappable` requires an `unsafe impl` declaration
pub struct Mine(KBox<[u8; 64]>);
// SAFETY: Not called.
unsafe impl Backing for Mine { type Memory = [u8; 64]; }
// SAFETY: Not called.
unsafe impl Mappable for Mine { //~ impl Mappable for Mine {
    const SIZE: Option<usize> = Some(64);
    fn memory(&mut self) -> core::ptr::NonNull<[u8; 64]> { core::ptr::NonNull::from(&mut *self.0) }
    fn allocated(&self) -> usize { 64 }
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

//# memory of the device, by a proof that is kept | borrowed data escapes outside of closure
pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>, dma: Dma<'bound>) -> Result {
    let memory = KBox::leak(KBox::new(Coherent::<u32>::zeroed(dma, GFP_KERNEL)?, GFP_KERNEL)?);
    let mut kept: Option<&'bound mut u32> = None;
    dev.clear_master(|quiesced| -> Result {
        *memory.as_mut_quiesced(quiesced)? = 1; //~ kept = Some(memory.as_mut_quiesced(quiesced)?);
        Ok(())
    })
}

//# memory of the device, returned with a proof | lifetime may not live long enough
pub fn keep<'a>(dev: &pci::Device<Core<'_>>, memory: &'a mut Coherent<'_, u32>) -> Result {
    dev.clear_master(|quiesced| memory.as_mut_quiesced(quiesced).map(|number| *number = 1)) //~ let kept: Result<&mut u32> = dev.clear_master(|quiesced| memory.as_mut_quiesced(quiesced)); kept.map(|_| ())
}

//# mapped memory, by a proof that is leaked | lifetime may not live long enough
pub fn keep<'bound>(dev: &'bound pci::Device<Core<'_>>) {
    let _ = dev.clear_master(|quiesced| { let _ = quiesced; Ok(()) }); //~ let kept: Result<Quiesced<'bound>> = dev.clear_master(|quiesced| Ok(*quiesced));
}

//# a proof in another thread | error[E0277]: `*const ()` cannot be shared between threads safely
pub fn send<T: Send>(_value: T) {}
pub fn other<'bound>(dev: &'bound pci::Device<Core<'_>>) {
    let bound: &pci::Device<Bound> = dev;
    let _ = dev.clear_master(|quiesced| { send(bound); Ok(()) }); //~ let _ = dev.clear_master(|quiesced| { send(quiesced); Ok(()) });
}

//# a proof in start | error[E0599]: no method named `clear_master` found for reference `&kernel::pci::Device<kernel::device::Start<'_>>`
pub fn start(dev: &pci::Device<Core<'_>>) { //~ pub fn start(dev: &pci::Device<Start<'_>>) {
    let _ = dev.clear_master(|_| Ok(()));
}

//# a proof of nothing | error[E0451]: field `binding` of struct `kernel::dma::Quiesced` is private
pub fn none() {} //~ pub fn none<'a>(binding: &'a Binding) -> Quiesced<'a> { Quiesced { binding, _not_send: core::marker::PhantomData } }

//# the state of a binding, without a claim | error[E0133]: call to unsafe function
pub fn state() -> Binding {
    // SAFETY: Not called.
    unsafe { Binding::new(true) } //~ Binding::new(true)
}

//# a value that does not fit on the stack | too large to be copied by value
pub fn look(memory: &Coherent<'_, [u8; 1024]>) -> u8 { //~ pub fn look(memory: &Coherent<'_, [u8; 1 << 18]>) -> u8 {
    memory.copy_read()[0]
}

//# a value that does not fit on the stack, written | too large to be copied by value
pub fn put(memory: &Coherent<'_, [u8; 1024]>, value: &'static [u8; 1024]) { //~ pub fn put(memory: &Coherent<'_, [u8; 1025]>, value: &'static [u8; 1025]) {
    memory.copy_write(*value)
}

//# a value that does not fit on the stack, in a box | too large to be copied by value
pub fn put<'a>(dma: Dma<'a>, value: &'static [u8; 1024]) -> Result<CoherentBox<'a, [u8; 1024]>> { //~ pub fn put<'a>(dma: Dma<'a>, value: &'static [u8; 1 << 18]) -> Result<CoherentBox<'a, [u8; 1 << 18]>> {
    CoherentBox::new(dma, *value, GFP_KERNEL)
}

//# a value that does not fit on the stack, of a mapping | too large to be copied by value
pub fn look(mapping: &mut Mapping<'_, KBox<[u8; 1024]>, FromDevice>) -> u8 { //~ pub fn look(mapping: &mut Mapping<'_, KBox<[u8; 4096]>, FromDevice>) -> u8 {
    mapping.for_cpu().copy_read()[0]
}

//# a value that does not fit on the stack, of a pool | too large to be copied by value
pub fn put<'a>(pool: &'a Pool<'a, [u8; 1024]>) -> Result<PoolBox<&'a Pool<'a, [u8; 1024]>>> { //~ pub fn put<'a>(pool: &'a Pool<'a, [u8; 4096]>) -> Result<PoolBox<&'a Pool<'a, [u8; 4096]>>> {
    PoolBox::new(pool, [7; 1024], GFP_KERNEL) //~ PoolBox::new(pool, [7; 4096], GFP_KERNEL)
}
