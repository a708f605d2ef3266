// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/rtsched"
)

// ErrNotAdmitted is what every [Refusal] is.
var ErrNotAdmitted = errors.New("not admitted")

// Refusal says why a reservation does not fit.
type Refusal struct {
	CPU  int
	VCPU int           // for which there is no CPU, of several with a server each
	Miss rtsched.Miss  // the reservation that would not have its budget in time
	Most time.Duration // the largest budget that would fit in the period asked for; 0: none, or not known
	Name string        // of the holder of Miss, if it is known
}

func (r *Refusal) Error() string {
	late := fmt.Sprintf("reservation %d", r.Miss.Task.ID)
	switch {
	case r.Miss.Task.ID == 0:
		late = "the control domain's reservation"
	case r.Name != "":
		late += " (" + r.Name + ")"
	}
	at := ErrNotAdmitted.Error()
	if r.VCPU > 0 {
		at += fmt.Sprintf(" for vCPU %d", r.VCPU)
	}
	text := fmt.Sprintf("%s: on CPU %d %s would have its budget only after %v", at, r.CPU, late, r.Miss.Response)
	if r.Miss.Task.Period > 0 {
		text += fmt.Sprintf(" of its period of %v", r.Miss.Task.Period)
	}
	if r.Most > 0 {
		return text + fmt.Sprintf(": a budget of %v would fit", r.Most)
	}
	return text + ": choose a smaller budget, another period, or another CPU"
}

// Unwrap returns ErrNotAdmitted.
func (r *Refusal) Unwrap() error { return ErrNotAdmitted }
