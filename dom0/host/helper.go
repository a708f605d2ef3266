// SPDX-License-Identifier: Apache-2.0

package host

import (
	"slices"
	"time"
)

// Helper is a process of this system, or a thread of its kernel, that works for one
// domain: the domain's device model, or a back end of its devices.
type Helper struct {
	// Name is the program's, for people. A domain whose toolstack started no device
	// model has no helper with Model.
	Name  string `json:"name"`
	Model bool   `json:"device_model,omitempty"`
	Members
	CPU time.Duration `json:"cpu_ns"` // that it has used since it was started
	// Ended says that the toolstack names a device model that has ended. It has no
	// other field but Model and PID then.
	Ended bool `json:"ended,omitempty"`
}

// Ours are the helpers that can be on a domain's reservation: all that run, if a device
// model is among them.
func Ours(all []Helper) []Helper {
	if Model(all) == nil {
		return nil
	}
	return slices.DeleteFunc(all, func(h Helper) bool { return h.Ended })
}

// SameHelpers reports whether both are the same processes and threads.
func SameHelpers(a, b []Helper) bool {
	return slices.EqualFunc(a, b, func(a, b Helper) bool { return a.Members == b.Members })
}

// Model is the device model among helpers, nil if there is none that runs.
func Model(all []Helper) *Helper {
	for i := range all {
		if all[i].Model && !all[i].Ended {
			return &all[i]
		}
	}
	return nil
}
