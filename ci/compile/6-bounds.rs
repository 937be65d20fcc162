//# a constant index past the end | rust_build_error
pub fn look(ring: &Coherent<'_, [u32; 4]>) -> u32 {
    io_read!(ring, [build: 3]) //~ io_read!(ring, [build: 4])
}

//# a constant index past the end of an inner array | rust_build_error
pub fn look(ring: &Coherent<'_, [[u32; 2]; 4]>) -> u32 {
    io_read!(ring, [build: 3][build: 1]) //~ io_read!(ring, [build: 3][build: 2])
}

//# a constant range past the end | rust_build_error
pub fn look(ring: &Coherent<'_, [u32; 4]>) -> usize {
    io_project!(ring, [build: 1..4]).len() //~ io_project!(ring, [build: 1..5]).len()
}

//# a constant range that ends before it begins | rust_build_error
pub fn look(ring: &Coherent<'_, [u32; 4]>) -> usize {
    io_project!(ring, [build: 2..2]).len() //~ io_project!(ring, [build: 2..1]).len()
}

//# an index into an array of length 0 | rust_build_error
dma_struct! {
    pub struct S {
        pub a: u32,
        pub b: [u32; 1], //~ pub b: [u32; 0],
    }
}
pub fn look(memory: &Coherent<'_, S>) -> u32 {
    io_read!(memory, .b[build: 0])
}

//# a constant index into a slice | rust_build_error
pub fn look(ring: &Coherent<'_, [u32]>) -> Result<u32> {
    Ok(io_read!(ring, [try: 3])) //~ Ok(io_read!(ring, [build: 3]))
}

//# an index that is not constant, unchecked | rust_build_error
pub fn look(ring: &Coherent<'_, [u32; 4]>, i: usize) -> Result<u32> {
    Ok(io_read!(ring, [try: i])) //~ Ok(io_read!(ring, [build: i]))
}

//# a checked index where no error can be returned | error[E0277]: the `?` operator can only be used in a function that returns `Result` or `Option`
pub fn look(ring: &Coherent<'_, [u32; 4]>) -> u32 {
    io_read!(ring, [build: 3]) //~ io_read!(ring, [try: 3])
}

//# an index without a word on what to do with it | error: an index says how it is checked: `[try: i]`, `[panic: i]` or `[build: i]`
pub fn look(ring: &Coherent<'_, [u32; 4]>) -> u32 {
    io_read!(ring, [build: 3]) //~ io_read!(ring, [3])
}

//# a constant index out of range, in a pool | rust_build_error
pub fn read(object: &PoolCoherent<&Pool<'_, [u32; 4]>>) -> u32 {
    io_read!(object, [build: 3]) //~ io_read!(object, [build: 4])
}

//# a constant index out of range, in a mapping | rust_build_error
pub fn read(mapping: &mut Mapping<'_, KBox<[u32; 16]>, FromDevice>) -> u32 {
    io_read!(&mapping.for_cpu(), [build: 15]) //~ io_read!(&mapping.for_cpu(), [build: 16])
}

//# a register past the end of what is expected | rust_build_error
pub fn read(regs: &pci::Bar<'_, 0x10>) -> u32 {
    regs.read32(0xc) //~ regs.read32(0x10)
}

//# a register that is not aligned | rust_build_error
pub fn read(regs: &pci::Bar<'_, 0x10>) -> u32 {
    regs.read32(0xc) //~ regs.read32(0xa)
}

//# a register of 64 bits, of which nobody knows when compiling that it is aligned | rust_build_error
pub fn read(regs: &pci::Bar<'_, 0x10>) -> Result<u64> {
    regs.try_read64(0x8) //~ Ok(regs.read64(0x8))
}

//# a register of a BAR of which nothing is known | rust_build_error
pub fn read(regs: &pci::Bar<'_>) -> Result<u32> {
    regs.try_read32(0) //~ Ok(regs.read32(0))
}

//# a 64-bit access to I/O ports | there is no single access for a `u64` here
pub fn read(ports: &pci::PortBar<'_, 0x10>) -> u32 {
    ports.read32(8) //~ ports.read64(8) as u32
}
