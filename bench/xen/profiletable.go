// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"bufio"
	"cmp"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/bench"
)

// symbol is a function of a program, a kernel or the hypervisor.
type symbol struct {
	address uint64
	name    string
}

func sorted(s []symbol) []symbol {
	slices.SortStableFunc(s, func(a, b symbol) int { return cmp.Compare(a.address, b.address) })
	return s
}

// parseSymbols reads lines of an address, a type and a name.
func parseSymbols(text string) (s []symbol) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 || !strings.EqualFold(f[1], "t") {
			continue
		}
		if address, err := strconv.ParseUint(f[0], 16, 64); err == nil {
			s = append(s, symbol{address, f[2]})
		}
	}
	return sorted(s)
}

// programSymbols reads those of a program that is linked to one address.
func programSymbols(path string) (s []symbol, err error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("symbols of %s: %w", path, err)
	}
	for _, one := range all {
		if elf.ST_TYPE(one.Info) == elf.STT_FUNC {
			s = append(s, symbol{one.Value, one.Name})
		}
	}
	return sorted(s), nil
}

// Addresses of the hypervisor (XEN_VIRT_START in Xen's asm/config.h), and of the
// kernels, which have all others of the upper half.
const (
	xenBegins    = 0xffff82d000000000
	xenEnds      = 0xffff830000000000
	kernelBegins = 0xffff800000000000
)

// place is where instructions ran.
type place struct {
	side     int    // 0: Dom0's CPU, 1: the DomU's
	room     string // Xen, Linux, Go's runtime, this project, libxenvchan
	function string
}

// table is a phase's instructions by place.
type table struct {
	begun  float64
	counts map[place]float64
}

// tables are those of all phases, and the symbols that name the places.
type tables struct {
	xen      []symbol
	kernels  [2][]symbol
	programs map[bool][2][]symbol // true: of libxenvchan's program
	phases   map[uint8]*table
}

// newTables reads the symbols. The DomU's kernel is Dom0's with other addresses of
// modules.
func newTables(i images, k kernels) (*tables, error) {
	t := &tables{phases: make(map[uint8]*table), xen: parseSymbols(k.Xen), programs: make(map[bool][2][]symbol)}
	modules := parseSymbols(k.GuestModules)
	t.kernels[0] = parseSymbols(k.Dom0)
	for _, s := range t.kernels[0] {
		if len(modules) == 0 || s.address < moduleBegins {
			t.kernels[1] = append(t.kernels[1], s)
		}
	}
	t.kernels[1] = sorted(append(t.kernels[1], modules...))
	programs := make(map[string][]symbol)
	for _, f := range i.domu {
		if !slices.Contains([]string{self, vchanProgram, vlibServer}, f.Guest) {
			continue
		}
		s, err := programSymbols(f.Host)
		if err != nil {
			return nil, err
		}
		programs[f.Guest] = s
	}
	t.programs[true] = [2][]symbol{programs[vchanProgram], programs[vchanProgram]}
	t.programs[false] = [2][]symbol{programs[self], programs[vlibServer]}
	return t, nil
}

// moduleBegins is where Linux has its modules (MODULES_VADDR).
const moduleBegins = 0xffffffffc0000000

func find(s []symbol, address uint64) string {
	i := sort.Search(len(s), func(i int) bool { return s[i].address > address })
	if i == 0 {
		return "?"
	}
	return s[i-1].name
}

func (t *tables) place(phase uint8, cpu int, address uint64) place {
	p := place{side: cpu}
	switch {
	case address >= xenBegins && address < xenEnds:
		p.room, p.function = "Xen", find(t.xen, address)
	case address >= kernelBegins:
		p.room, p.function = "Linux", find(t.kernels[cpu], address)
	default:
		program := t.programs[phase == phaseVchan][cpu]
		if phase == phaseListen {
			program = t.programs[false][0]
		}
		p.function = find(program, address)
		switch {
		case address > program[len(program)-1].address:
			p.room, p.function = "other programs", "?"
		case phase == phaseVchan:
			p.room = "libxenvchan"
		case strings.Contains(p.function, "vlibos/"):
			p.room = "this project"
		default:
			p.room = "Go"
		}
	}
	return p
}

// read adds the lines that the plugin wrote.
func (t *tables) read(f *os.File) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var phase uint8
		var cpu int
		var address, n uint64
		if _, err := fmt.Sscanf(lines.Text(), "%d %d %x %d", &phase, &cpu, &address, &n); err != nil {
			return fmt.Errorf("a line of the profile, %q: %w", lines.Text(), err)
		}
		if t.phases[phase] == nil {
			t.phases[phase] = &table{counts: make(map[place]float64)}
		}
		if address == 0 {
			t.phases[phase].begun = float64(n)
		} else {
			t.phases[phase].counts[t.place(phase, cpu, address)] += float64(n)
		}
	}
	return lines.Err()
}

// shown is the least share of an operation for which a function has a line.
const shown = 0.0005

// write writes a phase: the instructions of one operation by side and room, and
// by function in each.
func (t *tables) write(out io.Writer, phase uint8, title string, samples []float64) {
	p := t.phases[phase]
	if p == nil || p.begun == 0 {
		fmt.Fprintf(out, "\n%s: not counted\n", title)
		return
	}
	rooms, all := make(map[place]float64), 0.0
	for where, n := range p.counts {
		rooms[place{side: where.side, room: where.room}] += n
		all += n
	}
	fmt.Fprintf(out, "\n%s: %.0f instructions, the mean of %.0f; the counter's median is %.0f\n",
		title, all/p.begun, p.begun, bench.Quantile(samples, 0.5))
	functions := most(p.counts)
	for _, room := range most(rooms) {
		fmt.Fprintf(out, "%8.0f  %s, %s\n", rooms[room]/p.begun, [...]string{"Dom0", "DomU"}[room.side], room.room)
		for _, f := range functions {
			if f.side == room.side && f.room == room.room && p.counts[f] >= shown*all {
				fmt.Fprintf(out, "%12.0f  %s\n", p.counts[f]/p.begun, f.function)
			}
		}
	}
}

// most orders places by their counts.
func most(counts map[place]float64) []place {
	return slices.SortedFunc(maps.Keys(counts), func(a, b place) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a.side, b.side), cmp.Compare(a.function, b.function))
	})
}
