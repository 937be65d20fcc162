# SPDX-License-Identifier: GPL-2.0
"""The two drivers, which are written for v6.12, as each set of patches takes them. What differs is here, and nowhere else."""

import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
FILES = "bench_c.c", "bench_rust.rs"

# {set: {file, or "planted" for what ci/bench/run plants: ((pattern, what takes its place), ...)}}
CHANGES = {
    "v7.3": {
        # A table is of memory from vmalloc(), whose pages are looked up each time. They lie side by side, which is checked, and the device takes
        # no more than two of them in a segment. So there are as many segments in both drivers, half as many as pages.
        "bench_c.c": (
            (r"#include <linux/io\.h>\n", r"#include <linux/highmem.h>\n\g<0>"),
            (r"#include <linux/spinlock\.h>\n", r"\g<0>#include <linux/vmalloc.h>\n"),
            (r"struct page \*page\[ENTRIES\];", "void *memory;"),
            (
                r"static noinline int sg\(",
                r"""static struct page **pages_of(struct pages *pages)
{
	struct page **page = kvmalloc_array(pages->count, sizeof(*page), GFP_KERNEL);
	unsigned int i;

	for (i = 0; page && i < pages->count; i++)
		page[i] = vmalloc_to_page(pages->memory + i * PAGE_SIZE);
	return page;
}

\g<0>""",
            ),
            (
                r"\t\tdma_addr_t addrs = 0;\n\n(.*)\bpages->page,",
                r"""		dma_addr_t addrs = 0;
		struct page **page __free(kvfree) = pages_of(pages);

		if (!page)
			return -ENOMEM;
		flush_kernel_vmap_range(pages->memory, pages->count * PAGE_SIZE);
\1page,""",
            ),
            (r"\t\tdma_unmap_sgtable\(.*\n", r"\g<0>\t\tinvalidate_kernel_vmap_range(pages->memory, pages->count * PAGE_SIZE);\n"),
            (
                r"(static int make_pages\(.*\n\{\n)[^}](?:.|\n)*?\n\}\n",
                r"""\1	unsigned int i;

	pages->count = count;
	pages->memory = vzalloc(count * PAGE_SIZE);
	if (!pages->memory)
		return -ENOMEM;
	for (i = 1; i < count; i++)
		if (vmalloc_to_page(pages->memory + i * PAGE_SIZE) != vmalloc_to_page(pages->memory) + i)
			return -EIO;
	return 0;
}
""",
            ),
            (r"\tret = dma_set_mask_and_coherent\(&pdev->dev,", r"\tdma_set_max_seg_size(&pdev->dev, 2 * PAGE_SIZE);\n\g<0>"),
            (r"\t\twhile \(bench->pages\[i\]\.count\)\n.*\n", "\t\tvfree(bench->pages[i].memory);\n"),
        ),
        "bench_rust.rs": (
            (r"\bdma::\{", "dma::{Device as _, "),
            (r"    init::pin_init_scope,\n((?:.|\n)*?)\n\n", r"\1\nuse pin_init::pin_init_scope;\n\n"),
            (r"\bktime_ms_delta, Delta, Ktime\b", "Delta, Instant, Monotonic"),
            (r"\bktime_ms_delta\(Ktime::ktime_get\(\), start\)", "start.elapsed().as_millis()"),
            (r"\bKtime::ktime_get\(\)", "Instant::<Monotonic>::now()"),
            (r"\.to_ns\(\)", ".as_nanos()"),
            (r'\bauthor: ("[^"]*")', r"authors: [\1]"),
            # Memory has no lifetime there, and is free when it is dropped.
            (r"\bCoherent<'\w+, ", "Coherent<"),
            (r"\b(Ring|Queue)<'\w+>", r"\1"),
            (r"\bimpl<'bound> Queue\b", "impl Queue"),
            (r"\bfn new\(dma: Dma<'bound>\)", "fn new(dma: Dma<'_>)"),
            (r"\bCoherent::<\[u8\]>", "Coherent::<u8>"),
            (r"\b(Coherent(?:::<u8>)?::zeroed(?:_slice)?\((?:bench\.)?dma)\b", r"\1.device()"),
            (r"    // SAFETY: .*\n    unsafe \{ memory\.free\(\) \}", "    drop(memory)"),
            # Nor are there pages for tables.
            (r"\bOwned, Pages, SGMemory\b", "Mapped, SGMemory"),
            (r"\bOwned<", "Mapped<"),
            (r"\bTable::<_, Bidirectional>::new\(bench\b", "Table::<_, Bidirectional>::map(bench"),
            (r"\bin &table\b", "in table.iter()"),
            (
                r"fn make_pages\((?:.|\n)*?\n\}\n",
                r"""fn make_pages(dma: Dma<'_>, count: usize) -> Result<Pages> {
    let pages = VVec::from_elem(0, count * PAGE_SIZE, GFP_KERNEL)?;
    // In another direction than what is measured, which so stays the one call of its kind.
    let table = Table::<_, FromDevice>::map(dma, pages, GFP_KERNEL)?;
    if table.iter().count() != count.div_ceil(2) {
        return Err(EIO);
    }
    Ok(unmap_table(table))
}
""",
            ),
            (r" +setup\.set_mask_and_coherent\(.*\n", r"\g<0>            setup.set_max_seg_size(2 * PAGE_SIZE as u32)?;\n"),
            (r"\bPages\b", "VVec<u8>"),
        ),
        "planted": ((r"\bkernel::types::ARef\b", "kernel::sync::aref::ARef"),),
    },
}


def source(name, which, change=("", "")):
    """A driver for a set of patches; with a change to that for v6.12, where one is asked for. A ValueError if it has not what is to be changed."""
    text = (HERE / name).read_text()
    changes = CHANGES.get(which, {})
    before, after = change
    if before not in text:
        raise ValueError(f"{name} has no {before}")
    for old, new in changes.get("planted", ()):
        after = re.sub(old, new, after)
    text = text.replace(before, after, 1)
    for old, new in changes.get(name, ()):
        text, count = re.subn(old, new, text)
        if not count:
            raise ValueError(f"{name} has no {old}")
    return text
