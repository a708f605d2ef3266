// SPDX-License-Identifier: Apache-2.0

package processor

import (
	"fmt"
	"slices"
	"strings"
)

// Processor is one that can be emulated.
type Processor struct {
	// Name is also that of its table in emulator/models.c.
	Name string
	// CPU continues the value of QEMU's option -cpu: vendor, family and model, and the highest
	// leaves of CPUID that are used. Software that finds a hypervisor below it does not look for
	// uncore counters.
	CPU string
	// Allocates says that it has cache classes, Counters that it has uncore counters.
	Allocates, Counters bool
}

const (
	intel = ",-hypervisor,-svm,vendor=GenuineIntel,level=0x20,family=6,"
	amd   = ",-hypervisor,vendor=AuthenticAMD,level=0x20,xlevel=0x80000020,family=25,"
)

var all = []Processor{
	{Name: "skylake-client", CPU: intel + "model=94,stepping=3", Counters: true},
	{Name: "icelake-client", CPU: intel + "model=126,stepping=5", Counters: true},
	{Name: "skylake-server", CPU: intel + "model=85,stepping=4", Allocates: true, Counters: true},
	{Name: "icelake-server", CPU: intel + "model=106,stepping=6", Allocates: true},
	{Name: "icelake-server-powers", CPU: intel + "model=106,stepping=6", Allocates: true},
	{Name: "sapphire-rapids", CPU: intel + "model=143,stepping=8", Allocates: true},
	{Name: "epyc-milan", CPU: amd + "model=1,stepping=1", Allocates: true, Counters: true},
	{Name: "epyc-genoa", CPU: amd + "model=17,stepping=1", Allocates: true, Counters: true},
}

// Names are those of all processors.
func Names() []string {
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	return names
}

// Find returns the processor of a name, or an error that lists them.
func Find(name string) (Processor, error) {
	i := slices.IndexFunc(all, func(p Processor) bool { return p.Name == name })
	if i < 0 {
		return Processor{}, fmt.Errorf("processor %q: want one of %s", name, strings.Join(Names(), ", "))
	}
	return all[i], nil
}
