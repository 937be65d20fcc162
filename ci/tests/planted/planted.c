// SPDX-License-Identifier: GPL-2.0
/* Misbehaves on demand, so that it can be tested that the boot test sees it. */

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

static char *fault = "none";
module_param(fault, charp, 0);

static DEFINE_MUTEX(a);
static DEFINE_MUTEX(b);
static DEFINE_SPINLOCK(spin);

static int planted_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	dma_addr_t address;
	void *memory;
	int ret;

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(28));
	if (ret)
		return ret;
	memory = dma_alloc_coherent(&pdev->dev, PAGE_SIZE, &address, GFP_KERNEL);
	if (!memory)
		return -ENOMEM;
	if (strcmp(fault, "leak"))
		dma_free_coherent(&pdev->dev, strcmp(fault, "size") ? PAGE_SIZE : PAGE_SIZE / 2,
				  memory, address);
	pci_info(pdev, "planted: bound\n");
	return 0;
}

static const struct pci_device_id ids[] = { { PCI_DEVICE(0x1234, 0x11e8) }, {} };

static struct pci_driver driver = {
	.name = "planted",
	.id_table = ids,
	.probe = planted_probe,
};

static int __init planted_init(void)
{
	int ret;

	mutex_lock(&a);
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);
	if (!strcmp(fault, "order")) {
		mutex_lock(&b);
		mutex_lock(&a);
		mutex_unlock(&a);
		mutex_unlock(&b);
	}

	if (!strcmp(fault, "sleep")) {
		spin_lock(&spin);
		msleep(20);
		spin_unlock(&spin);
	}

	ret = pci_register_driver(&driver);
	if (ret)
		return ret;
	/* The driver goes, and with it the binding. */
	pci_unregister_driver(&driver);
	return 0;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("Misbehaves on demand");
MODULE_LICENSE("GPL");
