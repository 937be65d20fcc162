// SPDX-License-Identifier: GPL-2.0

//! Lists the mutants of some Rust files: small changes, each of which a test should see.
//!
//! ```text
//! lister [--cfg NAME]... FILE...
//! ```
//!
//! Prints a line of JSON for each mutant, and one for each file that counts what was left out. The
//! files are read by a parser; macros' arguments are mutated where they are expressions. What
//! `cfg` leaves out, tests, examples, and what is only printed are left alone.
//!
//! A place is given in bytes. `item` is the path of the item within the file. `body` is the place of
//! the outermost function's block in which the mutant is, if another block may run in its stead: the
//! function has an ordinary type, and is not evaluated by the compiler.

use proc_macro2::Span;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::ops::Range;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, BinOp, Block, Expr, ExprLit, FnArg, ImplItem, Item, Lit, Meta, Pat, RangeLimits,
    ReturnType, Signature, Stmt, Token, TraitItem, Type, UnOp,
};

/// What is only printed, or is a text for another purpose.
const TEXTS: [&str; 8] = [
    "asm",
    "c_str",
    "concat",
    "fmt",
    "format_args",
    "line",
    "module_path",
    "stringify",
];
const ASSERTIONS: [&str; 5] = [
    "assert",
    "build_assert",
    "debug_assert",
    "static_assert",
    "warn_on",
];
const INTS: [&str; 13] = [
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "DmaAddress",
];
/// Methods that are each other's opposite, or so near that they are taken for one another.
const METHODS: [(&str, &str); 12] = [
    ("all", "any"),
    ("checked_add", "checked_sub"),
    ("fetch_add", "fetch_sub"),
    ("fetch_and", "fetch_or"),
    ("is_err", "is_ok"),
    ("is_none", "is_some"),
    ("max", "min"),
    ("saturating_add", "saturating_sub"),
    ("wrapping_add", "wrapping_sub"),
    ("push_back", "push_front"),
    ("pop_back", "pop_front"),
    ("first", "last"),
];

/// The types of parameters, without the receiver; `None` where functions of that name differ.
type Signatures = HashMap<String, Option<Vec<String>>>;

struct Lister<'a> {
    file: &'a str,
    source: &'a str,
    cfgs: &'a HashSet<String>,
    signatures: &'a Signatures,
    /// Of the item that is being visited.
    path: Vec<String>,
    /// Of the outermost function; `Some(None)` where nothing may run in its stead.
    body: Option<Option<Range<usize>>>,
    /// Where blocks begin whose value nobody uses, and those that go away with a mutant as a whole.
    units: HashSet<usize>,
    soles: HashSet<usize>,
    left_out: BTreeMap<&'static str, usize>,
    out: String,
}

impl<'a> Lister<'a> {
    fn text(&self, span: Span) -> &'a str {
        &self.source[span.byte_range()]
    }

    fn add(&mut self, operator: &str, place: Range<usize>, replacement: &str) {
        let text = &self.source[place.clone()];
        if text == replacement {
            return;
        }
        let line = self.source[..place.start].matches('\n').count() + 1;
        let body = match &self.body {
            Some(Some(body)) => format!("[{}, {}]", body.start, body.end),
            _ => "null".into(),
        };
        writeln!(
            self.out,
            "{{\"file\": {}, \"line\": {line}, \"start\": {}, \"end\": {}, \"operator\": {}, \
             \"item\": {}, \"text\": {}, \"replacement\": {}, \"body\": {body}}}",
            json(self.file),
            place.start,
            place.end,
            json(operator),
            json(&self.path.join("::")),
            json(text),
            json(replacement),
        )
        .unwrap();
    }

    fn leave_out(&mut self, what: &'static str) {
        *self.left_out.entry(what).or_default() += 1;
    }

    /// Whether something is there, and no test.
    fn there(&mut self, attributes: &[Attribute]) -> bool {
        for attribute in attributes {
            let path = attribute.path();
            let test = path
                .segments
                .last()
                .is_some_and(|last| last.ident == "test")
                || path.is_ident("kunit_tests");
            let off = path.is_ident("cfg")
                && !attribute
                    .parse_args::<Meta>()
                    .map_or(true, |meta| holds(&meta, self.cfgs));
            if test || off {
                self.leave_out(if test { "test" } else { "cfg" });
                return false;
            }
        }
        true
    }

    fn within(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.path.push(name);
        visit(self);
        self.path.pop();
    }

    /// Notes the blocks of an expression whose value nobody uses.
    fn mark(&mut self, expr: &Expr) {
        match expr {
            Expr::Unsafe(e) => drop(self.units.insert(start(&e.block))),
            Expr::Block(e) => drop(self.units.insert(start(&e.block))),
            Expr::If(e) => {
                self.units.insert(start(&e.then_branch));
                if let Some((_, other)) = &e.else_branch {
                    self.mark(other);
                }
            }
            Expr::Match(e) => {
                for arm in &e.arms {
                    self.mark(&arm.body);
                    if matches!(*arm.body, Expr::Call(_) | Expr::MethodCall(_)) {
                        self.add("statement", arm.body.span().byte_range(), "{}");
                    }
                }
            }
            _ => {}
        }
    }

    fn sole(&mut self, expr: &Expr) {
        let block = match expr {
            Expr::Unsafe(e) => &e.block,
            Expr::Block(e) => &e.block,
            Expr::If(e) if e.else_branch.is_none() => &e.then_branch,
            Expr::ForLoop(e) => &e.body,
            Expr::While(e) => &e.body,
            Expr::Loop(e) => &e.body,
            _ => return,
        };
        self.soles.insert(start(block));
    }

    fn statement(&mut self, expr: &Expr, whole: Range<usize>, sole: bool) {
        self.mark(expr);
        if let Expr::Try(e) = expr {
            let inner = self.text(e.expr.span());
            self.add("question", whole.clone(), &format!("let _ = {inner};"));
        }
        let removable = match expr {
            Expr::Assign(_)
            | Expr::Block(_)
            | Expr::Break(_)
            | Expr::Call(_)
            | Expr::Continue(_)
            | Expr::ForLoop(_)
            | Expr::Loop(_)
            | Expr::Match(_)
            | Expr::MethodCall(_)
            | Expr::Try(_)
            | Expr::Unsafe(_)
            | Expr::While(_) => true,
            Expr::Binary(e) => assigns(&e.op),
            Expr::If(e) => known(&e.cond, self.cfgs) != Some(false),
            Expr::Macro(e) => !is_text(&e.mac),
            _ => false,
        };
        if removable {
            self.sole(expr);
            if !sole {
                let operator = if matches!(expr, Expr::Unsafe(_)) {
                    "unsafe"
                } else {
                    "statement"
                };
                self.add(operator, whole, "");
            }
        }
    }

    fn function(&mut self, signature: &Signature, block: &'a Block) {
        let unit = match &signature.output {
            ReturnType::Default => true,
            ReturnType::Type(_, ty) => matches!(&**ty, Type::Tuple(t) if t.elems.is_empty()),
        };
        let place = block.span().byte_range();
        let outermost = self.body.is_none();
        if outermost {
            self.body = Some(may_differ(signature).then(|| place.clone()));
        }
        let body = match &block.stmts[..] {
            [Stmt::Expr(value, None)] => self.text(value.span()),
            _ => "",
        };
        if unit {
            self.units.insert(place.start);
            self.soles.insert(place.start);
            if !block.stmts.iter().all(mentions) {
                self.add("return", place, "{}");
            }
        } else if let ReturnType::Type(_, ty) = &signature.output {
            for value in defaults(ty) {
                if body != value {
                    self.add("return", place.clone(), &format!("{{ {value} }}"));
                }
            }
        }
        self.visit_block(block);
        if outermost {
            self.body = None;
        }
    }

    fn condition(&mut self, condition: &Expr) {
        if has_let(condition) {
            return;
        }
        let same = match condition {
            Expr::Unary(e) => matches!(e.op, UnOp::Not(_)),
            Expr::Binary(e) => matches!(e.op, BinOp::Eq(_) | BinOp::Ne(_)),
            Expr::Lit(_) => true,
            _ => false,
        };
        if !same {
            let span = condition.span();
            let negated = format!("!({})", self.text(span));
            self.add("condition", span.byte_range(), &negated);
        }
    }

    fn arguments(&mut self, name: &str, of_c: bool, args: &Punctuated<Expr, Token![,]>) {
        let args: Vec<&Expr> = args.iter().collect();
        let types: Vec<String> = if of_c {
            args.iter().map(|arg| kind(arg)).collect()
        } else {
            match self.signatures.get(name) {
                Some(Some(types)) if types.len() == args.len() => types.clone(),
                _ => return,
            }
        };
        for at in 0..args.len() {
            // The next one of the same type.
            let Some(other) = (at + 1..args.len()).find(|&other| types[at] == types[other]) else {
                continue;
            };
            let (one, two) = (
                args[at].span().byte_range(),
                args[other].span().byte_range(),
            );
            let between = &self.source[one.end..two.start];
            let swapped = format!(
                "{}{between}{}",
                &self.source[two.clone()],
                &self.source[one.clone()]
            );
            self.add("arguments", one.start..two.end, &swapped);
        }
    }
}

/// Whether a function may have two blocks, one of which is chosen when it runs.
fn may_differ(signature: &Signature) -> bool {
    struct Finder(bool);
    impl Visit<'_> for Finder {
        fn visit_type_impl_trait(&mut self, _: &syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    // Each block would return a type of its own.
    let mut finder = Finder(false);
    finder.visit_return_type(&signature.output);
    !finder.0 && signature.constness.is_none()
}

fn start(block: &Block) -> usize {
    block.span().byte_range().start
}

fn assigns(op: &BinOp) -> bool {
    matches!(
        op,
        BinOp::AddAssign(_)
            | BinOp::SubAssign(_)
            | BinOp::MulAssign(_)
            | BinOp::DivAssign(_)
            | BinOp::RemAssign(_)
            | BinOp::BitXorAssign(_)
            | BinOp::BitAndAssign(_)
            | BinOp::BitOrAssign(_)
            | BinOp::ShlAssign(_)
            | BinOp::ShrAssign(_)
    )
}

/// What an operator is mistaken for.
fn mistaken(op: &BinOp) -> &'static [&'static str] {
    match op {
        BinOp::Add(_) => &["-", "*"],
        BinOp::Sub(_) => &["+"],
        BinOp::Mul(_) => &["+", "/"],
        BinOp::Div(_) => &["*", "%"],
        BinOp::Rem(_) => &["/"],
        BinOp::And(_) => &["||"],
        BinOp::Or(_) => &["&&"],
        BinOp::BitXor(_) => &["|"],
        BinOp::BitAnd(_) => &["|", "^"],
        BinOp::BitOr(_) => &["&", "^"],
        BinOp::Shl(_) => &[">>"],
        BinOp::Shr(_) => &["<<"],
        BinOp::Eq(_) => &["!="],
        BinOp::Ne(_) => &["=="],
        BinOp::Lt(_) => &["<=", ">"],
        BinOp::Le(_) => &["<", ">="],
        BinOp::Gt(_) => &[">=", "<"],
        BinOp::Ge(_) => &[">", "<="],
        BinOp::AddAssign(_) => &["-="],
        BinOp::SubAssign(_) => &["+="],
        BinOp::MulAssign(_) => &["+="],
        BinOp::BitAndAssign(_) => &["|="],
        BinOp::BitOrAssign(_) => &["&="],
        BinOp::ShlAssign(_) => &[">>="],
        BinOp::ShrAssign(_) => &["<<="],
        _ => &[],
    }
}

/// Bounds by themselves: `<` for `<=` is another kind of mistake than `>`.
fn operator(op: &BinOp, other: &str) -> &'static str {
    match (op, other) {
        (BinOp::Lt(_), "<=") | (BinOp::Le(_), "<") | (BinOp::Gt(_), ">=") | (BinOp::Ge(_), ">") => {
            "bound"
        }
        (BinOp::And(_) | BinOp::Or(_), _) => "logical",
        (
            BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_),
            _,
        ) => "comparison",
        _ => "binary",
    }
}

/// The values that a function of some type may return in place of its own.
fn defaults(ty: &Type) -> Vec<String> {
    let Type::Path(path) = ty else {
        return Vec::new();
    };
    let Some(last) = path.path.segments.last() else {
        return Vec::new();
    };
    let name = last.ident.to_string();
    if INTS.contains(&&*name) {
        return vec!["0".into(), "1".into()];
    }
    let inner = match &last.arguments {
        syn::PathArguments::AngleBracketed(all) => all.args.first(),
        _ => None,
    };
    match (&*name, inner) {
        ("bool", _) => vec!["false".into(), "true".into()],
        ("Option", _) => vec!["None".into()],
        ("Result", None) => vec!["Ok(())".into()],
        ("Result", Some(syn::GenericArgument::Type(Type::Tuple(t)))) if t.elems.is_empty() => {
            vec!["Ok(())".into()]
        }
        ("Result", Some(syn::GenericArgument::Type(inner))) => defaults(inner)
            .iter()
            .map(|value| format!("Ok({value})"))
            .collect(),
        _ => Vec::new(),
    }
}

/// What an argument of a C function looks like: arguments of one look may have one type.
fn kind(arg: &Expr) -> String {
    match arg {
        Expr::MethodCall(e) if e.method.to_string().starts_with("as_") => e.method.to_string(),
        Expr::MethodCall(e) if e.method.to_string().starts_with("cast") => "pointer".into(),
        Expr::Reference(_) | Expr::RawAddr(_) => "reference".into(),
        Expr::Path(e) if e.path.segments.len() > 1 => "constant".into(),
        Expr::Closure(_) | Expr::Macro(_) => format!("{:?}", arg.span().byte_range()),
        _ => "value".into(),
    }
}

/// Whether an expression is always true, or always false, in this kernel.
fn known(expr: &Expr, cfgs: &HashSet<String>) -> Option<bool> {
    match expr {
        Expr::Macro(e) if e.mac.path.is_ident("cfg") => {
            let meta = e.mac.parse_body::<Meta>().ok()?;
            Some(holds(&meta, cfgs))
        }
        Expr::Paren(e) => known(&e.expr, cfgs),
        Expr::Unary(e) if matches!(e.op, UnOp::Not(_)) => known(&e.expr, cfgs).map(|is| !is),
        Expr::Binary(e) => match (&e.op, known(&e.left, cfgs), known(&e.right, cfgs)) {
            (BinOp::And(_), Some(false), _) | (BinOp::And(_), _, Some(false)) => Some(false),
            (BinOp::Or(_), Some(true), _) | (BinOp::Or(_), _, Some(true)) => Some(true),
            _ => None,
        },
        _ => None,
    }
}

fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(e) => has_let(&e.left) || has_let(&e.right),
        _ => false,
    }
}

fn name(mac: &syn::Macro) -> String {
    mac.path
        .segments
        .last()
        .map_or(String::new(), |last| last.ident.to_string())
}

/// Whether this only keeps the compiler from saying that something is not used.
fn mentions(stmt: &Stmt) -> bool {
    let Stmt::Local(local) = stmt else {
        return false;
    };
    let names = |expr: &Expr| matches!(expr, Expr::Path(_));
    match (&local.pat, &local.init) {
        (Pat::Wild(_), Some(init)) => match &*init.expr {
            Expr::Tuple(tuple) => tuple.elems.iter().all(names),
            expr => names(expr),
        },
        _ => false,
    }
}

fn is_text(mac: &syn::Macro) -> bool {
    let name = name(mac);
    let prints = ["dev_", "pr_", "print", "module", "asm"];
    TEXTS.contains(&&*name) || prints.iter().any(|each| name.starts_with(each))
}

fn holds(meta: &Meta, cfgs: &HashSet<String>) -> bool {
    match meta {
        Meta::Path(path) => path
            .get_ident()
            .is_some_and(|name| cfgs.contains(&name.to_string())),
        Meta::NameValue(_) => true,
        Meta::List(list) => {
            let each = Punctuated::<Meta, Token![,]>::parse_terminated;
            let Ok(each) = list.parse_args_with(each) else {
                return true;
            };
            let mut each = each.iter().map(|meta| holds(meta, cfgs));
            if list.path.is_ident("all") {
                each.all(|holds| holds)
            } else if list.path.is_ident("any") {
                each.any(|holds| holds)
            } else {
                !each.all(|holds| holds)
            }
        }
    }
}

fn json(text: &str) -> String {
    let mut made = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => made.extend(['\\', c]),
            c if c < ' ' => write!(made, "\\u{:04x}", c as u32).unwrap(),
            c => made.push(c),
        }
    }
    made.push('"');
    made
}

fn attributes(expr: &Expr) -> &[Attribute] {
    match expr {
        Expr::Block(e) => &e.attrs,
        Expr::Call(e) => &e.attrs,
        Expr::If(e) => &e.attrs,
        Expr::Macro(e) => &e.attrs,
        Expr::Match(e) => &e.attrs,
        Expr::MethodCall(e) => &e.attrs,
        Expr::Unsafe(e) => &e.attrs,
        _ => &[],
    }
}

/// What `pin_init!` and its like take: a structure's fields, with `:` or `<-`.
struct Initializer(Vec<Expr>);

impl Parse for Initializer {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![&]) {
            input.parse::<Token![&]>()?;
            input.parse::<syn::Ident>()?;
            input.parse::<Token![in]>()?;
        }
        input.parse::<syn::TypePath>()?;
        let fields;
        syn::braced!(fields in input);
        let mut values = Vec::new();
        while !fields.is_empty() {
            fields.call(Attribute::parse_outer)?;
            if fields.peek(Token![..]) {
                fields.parse::<Token![..]>()?;
                values.push(fields.parse()?);
                continue;
            }
            fields.parse::<syn::Ident>()?;
            if fields.peek(Token![<-]) {
                fields.parse::<Token![<-]>()?;
                values.push(fields.parse()?);
            } else if fields.peek(Token![:]) {
                fields.parse::<Token![:]>()?;
                values.push(fields.parse()?);
            }
            if !fields.is_empty() {
                fields.parse::<Token![,]>()?;
            }
        }
        if input.peek(Token![?]) {
            input.parse::<Token![?]>()?;
            input.parse::<Type>()?;
        }
        Ok(Self(values))
    }
}

impl<'a> Visit<'a> for Lister<'a> {
    fn visit_attribute(&mut self, _: &'a Attribute) {}

    fn visit_item(&mut self, item: &'a Item) {
        let (attributes, name) = match item {
            Item::Const(i) => (&i.attrs, i.ident.to_string()),
            Item::Enum(i) => (&i.attrs, i.ident.to_string()),
            Item::Fn(i) => (&i.attrs, i.sig.ident.to_string()),
            Item::Impl(i) => {
                let target = self.text(i.self_ty.span());
                let name = match &i.trait_ {
                    Some((_, of, _)) => format!("impl {} for {target}", self.text(of.span())),
                    None => format!("impl {target}"),
                };
                (
                    &i.attrs,
                    name.split_whitespace().collect::<Vec<_>>().join(" "),
                )
            }
            Item::Macro(i) => {
                if i.ident.is_some() {
                    self.leave_out("macro_rules");
                } else {
                    self.leave_out("macro");
                }
                return;
            }
            Item::Mod(i) => (&i.attrs, i.ident.to_string()),
            Item::Static(i) => (&i.attrs, i.ident.to_string()),
            Item::Struct(i) => (&i.attrs, i.ident.to_string()),
            Item::Trait(i) => (&i.attrs, i.ident.to_string()),
            _ => return,
        };
        if self.there(attributes) {
            self.within(name, |this| visit::visit_item(this, item));
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_impl_item(&mut self, item: &'a ImplItem) {
        let (attributes, name) = match item {
            ImplItem::Const(i) => (&i.attrs, i.ident.to_string()),
            ImplItem::Fn(i) => (&i.attrs, i.sig.ident.to_string()),
            ImplItem::Macro(_) => return self.leave_out("macro"),
            _ => return,
        };
        if self.there(attributes) {
            self.within(name, |this| match item {
                ImplItem::Fn(i) => this.function(&i.sig, &i.block),
                _ => visit::visit_impl_item(this, item),
            });
        }
    }

    fn visit_trait_item(&mut self, item: &'a TraitItem) {
        let (attributes, name) = match item {
            TraitItem::Const(i) => (&i.attrs, i.ident.to_string()),
            TraitItem::Fn(i) => (&i.attrs, i.sig.ident.to_string()),
            TraitItem::Macro(_) => return self.leave_out("macro"),
            _ => return,
        };
        if self.there(attributes) {
            self.within(name, |this| match item {
                TraitItem::Fn(i) => {
                    if let Some(block) = &i.default {
                        this.function(&i.sig, block);
                    }
                }
                _ => visit::visit_trait_item(this, item),
            });
        }
    }

    fn visit_block(&mut self, block: &'a Block) {
        let at = start(block);
        let unit = self.units.contains(&at);
        let sole = self.soles.contains(&at) && block.stmts.len() == 1;
        for (number, stmt) in block.stmts.iter().enumerate() {
            let whole = stmt.span().byte_range();
            match stmt {
                Stmt::Expr(expr, semi) => {
                    if !self.there(attributes(expr)) {
                        continue;
                    }
                    if semi.is_some() || number + 1 < block.stmts.len() || unit {
                        self.statement(expr, whole, sole);
                    }
                }
                Stmt::Local(local) => {
                    if !self.there(&local.attrs) {
                        continue;
                    }
                    let keeps = |ident: &syn::Ident| ident.to_string().starts_with('_');
                    match &local.pat {
                        Pat::Wild(_) if mentions(stmt) => {}
                        Pat::Wild(_) => self.add("statement", whole, ""),
                        Pat::Tuple(t) if t.elems.is_empty() => self.add("statement", whole, ""),
                        Pat::Ident(i) if keeps(&i.ident) && local.init.is_some() => {
                            self.add("guard", i.span().byte_range(), "_");
                        }
                        _ => {}
                    }
                }
                Stmt::Macro(mac) => {
                    if !self.there(&mac.attrs) {
                        continue;
                    }
                    let used = mac.semi_token.is_none() && number + 1 == block.stmts.len();
                    if !sole && !is_text(&mac.mac) && (!used || unit) {
                        self.add("statement", whole, "");
                    }
                }
                Stmt::Item(_) => {}
            }
            self.visit_stmt(stmt);
        }
    }

    fn visit_macro(&mut self, mac: &'a syn::Macro) {
        let name = name(mac);
        if is_text(mac) {
            return self.leave_out("text");
        }
        // The expressions are ours; what is listed of them is kept.
        let values: Vec<Expr> = if name.ends_with("init") {
            match mac.parse_body::<Initializer>() {
                Ok(found) => found.0,
                Err(_) => return self.leave_out("macro"),
            }
        } else {
            let all = Punctuated::<Expr, Token![,]>::parse_terminated;
            match all.parse2(mac.tokens.clone()) {
                Ok(found) => found.into_iter().collect(),
                Err(_) => return self.leave_out("macro"),
            }
        };
        let most = if ASSERTIONS.contains(&&*name) {
            1
        } else if name.starts_with("assert_") || name.starts_with("debug_assert_") {
            2
        } else {
            values.len()
        };
        let values: &'a [Expr] = Vec::leak(values);
        for value in &values[..most.min(values.len())] {
            self.visit_expr(value);
        }
    }

    fn visit_arm(&mut self, arm: &'a syn::Arm) {
        if !self.there(&arm.attrs) {
            return;
        }
        if let Some((_, guard)) = &arm.guard {
            self.condition(guard);
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_match(&mut self, e: &'a syn::ExprMatch) {
        if let Some((last, arms)) = e.arms.split_last() {
            if matches!(last.pat, Pat::Wild(_)) && last.guard.is_none() {
                for arm in arms {
                    self.add("arm", arm.span().byte_range(), "");
                }
            }
        }
        visit::visit_expr_match(self, e);
    }

    fn visit_expr_if(&mut self, e: &'a syn::ExprIf) {
        let known = known(&e.cond, self.cfgs);
        if known.is_none() {
            self.condition(&e.cond);
            self.visit_expr(&e.cond);
        }
        if known == Some(false) {
            self.leave_out("cfg");
        } else {
            self.visit_block(&e.then_branch);
        }
        if let Some((_, other)) = &e.else_branch {
            if known == Some(true) {
                self.leave_out("cfg");
            } else {
                self.visit_expr(other);
            }
        }
    }

    fn visit_expr_while(&mut self, e: &'a syn::ExprWhile) {
        self.condition(&e.cond);
        self.units.insert(start(&e.body));
        visit::visit_expr_while(self, e);
    }

    fn visit_expr_for_loop(&mut self, e: &'a syn::ExprForLoop) {
        self.units.insert(start(&e.body));
        visit::visit_expr_for_loop(self, e);
    }

    fn visit_expr_loop(&mut self, e: &'a syn::ExprLoop) {
        self.units.insert(start(&e.body));
        visit::visit_expr_loop(self, e);
    }

    fn visit_expr_binary(&mut self, e: &'a syn::ExprBinary) {
        for other in mistaken(&e.op) {
            self.add(operator(&e.op, other), e.op.span().byte_range(), other);
        }
        let left = known(&e.left, self.cfgs);
        if matches!(
            (&e.op, left),
            (BinOp::And(_), Some(false)) | (BinOp::Or(_), Some(true))
        ) {
            self.leave_out("cfg");
            return;
        }
        visit::visit_expr_binary(self, e);
    }

    fn visit_expr_unary(&mut self, e: &'a syn::ExprUnary) {
        if matches!(e.op, UnOp::Not(_) | UnOp::Neg(_)) {
            self.add("unary", e.op.span().byte_range(), "");
        }
        visit::visit_expr_unary(self, e);
    }

    fn visit_expr_range(&mut self, e: &'a syn::ExprRange) {
        if e.end.is_some() {
            let (span, other) = match &e.limits {
                RangeLimits::HalfOpen(dots) => (dots.span(), "..="),
                RangeLimits::Closed(dots) => (dots.span(), ".."),
            };
            self.add("bound", span.byte_range(), other);
        }
        visit::visit_expr_range(self, e);
    }

    fn visit_expr_call(&mut self, e: &'a syn::ExprCall) {
        if let Expr::Path(path) = &*e.func {
            let segments = &path.path.segments;
            let of_c = segments
                .first()
                .is_some_and(|first| first.ident == "bindings");
            if let Some(last) = segments.last() {
                self.arguments(&last.ident.to_string(), of_c, &e.args);
            }
        }
        visit::visit_expr_call(self, e);
    }

    fn visit_expr_method_call(&mut self, e: &'a syn::ExprMethodCall) {
        let method = e.method.to_string();
        for (one, other) in METHODS.iter().flat_map(|&(a, b)| [(a, b), (b, a)]) {
            if method == one {
                self.add("method", e.method.span().byte_range(), other);
            }
        }
        self.arguments(&method, false, &e.args);
        visit::visit_expr_method_call(self, e);
    }

    fn visit_expr_path(&mut self, e: &'a syn::ExprPath) {
        let names: Vec<String> = e
            .path
            .segments
            .iter()
            .map(|each| each.ident.to_string())
            .collect();
        let span = e.path.span();
        match &names[..] {
            [.., ordering, last] if ordering == "Ordering" => {
                if ["Acquire", "Release", "AcqRel", "SeqCst"].contains(&&**last) {
                    self.add("ordering", span.byte_range(), "Ordering::Relaxed");
                }
            }
            [.., last] if is_error(last) => {
                let other = if last == "EIO" { "ENXIO" } else { "EIO" };
                let other = format!("crate::error::code::{other}");
                self.add("error", span.byte_range(), &other);
            }
            _ => {}
        }
        visit::visit_expr_path(self, e);
    }

    fn visit_expr_lit(&mut self, e: &'a ExprLit) {
        match &e.lit {
            Lit::Int(lit) => {
                let Ok(value) = lit.base10_parse::<u128>() else {
                    return;
                };
                let mut others = vec![value + 1];
                if value > 0 {
                    others.push(value - 1);
                }
                if value > 1 {
                    others.push(0);
                }
                for other in others {
                    let other = format!("{other}{}", lit.suffix());
                    self.add("constant", lit.span().byte_range(), &other);
                }
            }
            Lit::Bool(lit) => {
                let other = if lit.value { "false" } else { "true" };
                self.add("constant", lit.span().byte_range(), other);
            }
            _ => {}
        }
    }
}

fn is_error(name: &str) -> bool {
    name.len() > 2
        && name.starts_with('E')
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

/// Collects the signatures of functions.
struct Collector<'s>(&'s mut Signatures);

impl<'a> Visit<'a> for Collector<'_> {
    fn visit_signature(&mut self, signature: &'a Signature) {
        let types: Vec<String> = signature
            .inputs
            .iter()
            .filter_map(|input| match input {
                FnArg::Typed(arg) => arg.ty.span().source_text(),
                FnArg::Receiver(_) => None,
            })
            .collect();
        self.0
            .entry(signature.ident.to_string())
            .and_modify(|known| {
                if known.as_ref() != Some(&types) {
                    *known = None;
                }
            })
            .or_insert(Some(types));
    }
}

fn main() -> Result<(), String> {
    let mut cfgs = HashSet::new();
    let mut files = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(word) = arguments.next() {
        if word == "--cfg" {
            cfgs.insert(arguments.next().ok_or("--cfg takes a name")?);
        } else {
            let source = std::fs::read_to_string(&word).map_err(|e| format!("{word}: {e}"))?;
            let parsed = syn::parse_file(&source).map_err(|e| {
                let at = e.span().start();
                format!("{word}:{}:{}: {e}", at.line, at.column + 1)
            })?;
            files.push((word, source, parsed));
        }
    }
    let mut signatures = Signatures::new();
    for (_, _, parsed) in &files {
        Collector(&mut signatures).visit_file(parsed);
    }
    for (file, source, parsed) in &files {
        let mut lister = Lister {
            file,
            source,
            cfgs: &cfgs,
            signatures: &signatures,
            path: Vec::new(),
            body: None,
            units: HashSet::new(),
            soles: HashSet::new(),
            left_out: BTreeMap::new(),
            out: String::new(),
        };
        lister.visit_file(parsed);
        print!("{}", lister.out);
        let left_out: Vec<String> = lister
            .left_out
            .iter()
            .map(|(what, count)| format!("{}: {count}", json(what)))
            .collect();
        println!(
            "{{\"file\": {}, \"left_out\": {{{}}}}}",
            json(file),
            left_out.join(", ")
        );
    }
    Ok(())
}
