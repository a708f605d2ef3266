// SPDX-License-Identifier: Apache-2.0

package module

// Variant is a configuration of Xen that differs from the usual build.
type Variant struct {
	// Name is short; it is "" for the usual build.
	Name string
	// config has additional lines of Xen's configuration.
	config string
	// theirs is whether the configuration is otherwise the distribution's, and not
	// Xen's default with the changes of compile.go.
	theirs bool
	// without is whether the module is left out.
	without bool
}

// The variants. Debug has Xen's assertions and checks of locks. Its default
// includes the null scheduler, whose number the module uses, so that is left out.
// Flask has XSM with Flask and the policy of Xen's own source, loaded and enforced
// from the start; it needs checkpolicy and m4. Unsupported has the schedulers that Xen
// does not support, for comparisons, and therefore not the module: null is one of them.
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
	Unsupported = Variant{Name: "unsupported", without: true, config: `
CONFIG_SCHED_NULL=y
CONFIG_SCHED_ARINC653=y
`}
	// live has what a live patch of the distribution's Xen is linked from.
	live = Variant{Name: "live", theirs: true}
)

// Of returns the cache of images of a variant.
func (c *Cache) Of(v Variant) *Cache { return &Cache{base: c.base, dir: c.dir, variant: v} }
