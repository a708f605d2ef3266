// SPDX-License-Identifier: Apache-2.0

package module

// Variant is a way to configure Xen, beside what every build has.
type Variant struct {
	// Name is short, and "" for the one without anything beside.
	Name string
	// config are lines of Xen's configuration.
	config string
}

// The variants. Debug has Xen's assertions and checks of locks; its own default
// is the null scheduler, whose number the module has, and so it is left out.
// Flask has XSM with Flask and the policy of Xen's own source, which is loaded
// and enforced from the start; it needs checkpolicy and m4.
var (
	Plain = Variant{}
	Debug = Variant{Name: "debug", config: `
CONFIG_DEBUG=y
# CONFIG_SCHED_NULL is not set
`}
	Flask = Variant{Name: "flask", config: `
CONFIG_XSM=y
CONFIG_XSM_FLASK=y
CONFIG_XSM_FLASK_POLICY=y
CONFIG_XSM_FLASK_DEFAULT=y
`}
)

// Of returns the cache of images of a variant.
func (c *Cache) Of(v Variant) *Cache { return &Cache{base: c.base, dir: c.dir, variant: v} }
