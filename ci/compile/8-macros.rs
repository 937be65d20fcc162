//# a field that is reached through Deref | error[E0283]: type annotations needed
dma_struct! { pub struct S { pub a: u32 } }
pub struct Other { pub b: u32 }
impl core::ops::Deref for S {
    type Target = Other;
    fn deref(&self) -> &Other { &OTHER }
}
static OTHER: Other = Other { b: 0 };
dma_struct! { pub struct T { pub a: u32 } }
pub fn look(memory: &Coherent<'_, S>, plain: &Coherent<'_, T>) -> u32 {
    let _ = memory.size();
    dma_read!(plain, .a) //~ dma_read!(memory, .b); dma_read!(plain, .a)
}

//# a field of its own of a type that is Deref | error[E0283]: type annotations needed
dma_struct! { pub struct S { pub a: u32 } }
impl core::ops::Deref for S { //~ impl core::ops::Deref for S {
    type Target = u32;
    fn deref(&self) -> &u32 { &0 }
}
pub fn look(memory: &Coherent<'_, S>) -> u32 {
    memory.read().a //~ dma_read!(memory, .a)
}

//# a misaligned field of a packed structure | error[E0793]: reference to packed field is unaligned
dma_struct! {
    #[repr(packed)]
    pub struct S { pub a: u8, pub b: u32, pub c: u8 }
}
pub fn look(memory: &Coherent<'_, S>) -> u32 {
    u32::from(dma_read!(memory, .c)) //~ dma_read!(memory, .b)
}

//# a misaligned field of a structure in a packed one | error[E0793]: reference to packed field is unaligned
dma_struct! { pub struct In { pub a: u32 } }
dma_struct! {
    #[repr(packed)]
    pub struct S { pub a: u8, pub b: In, pub c: u8 }
}
pub fn look(memory: &Coherent<'_, S>) -> u32 {
    u32::from(dma_read!(memory, .a)) //~ dma_read!(memory, .b.a)
}

//# two fields in one token | no rules expected `0.1`
pub fn look(memory: &Coherent<'_, [u32; 1]>) -> u32 {
    dma_read!(memory, [0]) //~ dma_read!(memory, [0].0.1)
}

//# a structure as a whole | error[E0599]: the method `read` exists for struct `Place<'_, S>`, but its trait bounds were not satisfied
dma_struct! { pub struct S { pub a: u32 } }
pub fn look(memory: &Coherent<'_, [S; 1]>) -> u32 {
    dma_read!(memory, [0].a) //~ dma_read!(memory, [0]).a
}

//# a value of another type | error[E0308]: mismatched types
dma_struct! { pub struct S { pub a: u32 } }
pub fn put(memory: &Coherent<'_, S>, value: u64) {
    dma_write!(memory, .a, value as u32) //~ dma_write!(memory, .a, value)
}

//# a private field | error[E0616]: field `a` of struct `S` is private
mod other { kernel::dma_struct! { pub struct S { pub a: u32 } } } //~ mod other { kernel::dma_struct! { pub struct S { a: u32 } } impl S { pub fn a(&self) -> u32 { self.a } } }
pub fn look(memory: &Coherent<'_, other::S>) -> u32 {
    dma_read!(memory, .a)
}
