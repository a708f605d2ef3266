// SPDX-License-Identifier: Apache-2.0

package xen

import "encoding/binary"

// A channel has too many pages for their grant references to fit into xenstore.
// Until the client has copied the references they are in the data area itself,
// from its first page on, which needs no extra page: refsPerPage references to
// data pages in order, then one to the page with the next references (the
// second data page, and so on), 0 on the last.
const (
	pageSize    = 4096
	refsPerPage = pageSize/4 - 1
)

// directoryPages is how many pages the references to n data pages need.
func directoryPages(n int) int { return (n + refsPerPage - 1) / refsPerPage }

// writeDirectory writes refs, those of the data pages, into data.
func writeDirectory(data []byte, refs []uint32) {
	for p := range directoryPages(len(refs)) {
		page := data[p*pageSize : (p+1)*pageSize]
		mine := refs[p*refsPerPage : min((p+1)*refsPerPage, len(refs))]
		for i, ref := range mine {
			binary.LittleEndian.PutUint32(page[4*i:], ref)
		}
		var next uint32
		if p+1 < directoryPages(len(refs)) {
			next = refs[p+1]
		}
		binary.LittleEndian.PutUint32(page[4*refsPerPage:], next)
	}
}

// readDirectory collects n references. read copies the page of a reference. The
// chain is as long as n requires, whatever the guest wrote.
func readDirectory(first uint32, n int, read func(ref uint32, page []byte) error) ([]uint32, error) {
	refs := make([]uint32, 0, n)
	page := make([]byte, pageSize)
	for next := first; len(refs) < n; next = binary.LittleEndian.Uint32(page[4*refsPerPage:]) {
		if err := read(next, page); err != nil {
			return nil, err
		}
		for i := 0; i < refsPerPage && len(refs) < n; i++ {
			refs = append(refs, binary.LittleEndian.Uint32(page[4*i:]))
		}
	}
	return refs, nil
}
