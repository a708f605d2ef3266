// SPDX-License-Identifier: Apache-2.0

package xapi

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vlibos/vlibos/dom0/host"
)

// VM is what the master needs to know of a VM.
type VM struct {
	Ref   string // XAPI's, which another pool does not know
	UUID  string
	Name  string // as its operator wrote it; several may have the same
	Power string // Halted, Paused, Running or Suspended
	// Domid is the number of its domain on the host where it is; negative: none.
	Domid int
	Host  string // reference of the host where it is; empty: none
	Tags  []string
	// Asked are the entries of other_config whose keys begin with Prefix,
	// without that.
	Asked map[string]string
	// Mask are the CPUs to which its next domain is pinned, as in VCPUs_params.
	Mask string
}

// Prefix begins the keys of other_config that are this project's.
const Prefix = "vlibos:"

// Limits of what is remembered of a VM, in bytes and entries.
const (
	MostText    = 512
	mostEntries = 32
)

// record is a VM as XAPI writes it. Its integers are strings.
type record struct {
	UUID        string            `json:"uuid"`
	Name        string            `json:"name_label"`
	Power       string            `json:"power_state"`
	Domid       integer           `json:"domid"`
	ResidentOn  string            `json:"resident_on"`
	Tags        []string          `json:"tags"`
	OtherConfig map[string]string `json:"other_config"`
	VCPUsParams map[string]string `json:"VCPUs_params"`
	Template    bool              `json:"is_a_template"` // snapshots are, too
	Control     bool              `json:"is_control_domain"`
}

// integer is one of XAPI, which its versions write with quotes or without.
type integer int

func (i *integer) UnmarshalJSON(text []byte) error {
	n, err := strconv.Atoi(strings.Trim(string(text), `"`))
	if err != nil {
		n = -1
	}
	*i = integer(n)
	return nil
}

// nullRef is how XAPI writes that there is none.
const nullRef = "OpaqueRef:NULL"

// vm is the part that is remembered; nil of templates, snapshots, control domains and
// what has no UUID: another text could mean another domain's number or name.
func (r *record) vm(ref string) *VM {
	if r.Template || r.Control || !host.IsUUID(r.UUID) {
		return nil
	}
	v := &VM{
		Ref: ref, UUID: strings.ToLower(r.UUID), Name: Short(r.Name), Power: Short(r.Power), Domid: int(r.Domid),
		Host: Short(r.ResidentOn), Mask: Short(r.VCPUsParams["mask"]),
	}
	if v.Host == nullRef {
		v.Host = ""
	}
	for _, t := range r.Tags[:min(len(r.Tags), mostEntries)] {
		v.Tags = append(v.Tags, Short(t))
	}
	for _, key := range slices.Sorted(maps.Keys(r.OtherConfig)) {
		if word, ours := strings.CutPrefix(key, Prefix); ours && len(v.Asked) < mostEntries {
			if v.Asked == nil {
				v.Asked = make(map[string]string)
			}
			v.Asked[Short(word)] = Short(r.OtherConfig[key])
		}
	}
	return v
}

// Short is the beginning of a text, MostText bytes at most; see [Cut].
func Short(s string) string { return Cut(s, MostText) }

// Cut is the beginning of a text, that many bytes at most, without a part of a character
// at its end. It shares no memory with a longer text.
func Cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return strings.Clone(s[:len(s)-1])
}
