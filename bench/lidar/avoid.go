// SPDX-License-Identifier: Apache-2.0

package lidar

// The vehicle's limits: anything nearer than near is an obstacle; an obstacle
// within ahead of the front is in the way; a gap of open is wide enough.
const (
	near  = 1000 // mm
	ahead = 10   // clusters to either side, 7°
	open  = 28   // clusters, 20°
)

// front is the cluster straight ahead.
const front = (frontStep - firstStep) / clustered

// Way is the direction to take.
type Way int32

// The directions.
const (
	Straight Way = iota
	Left
	Right
	Stop
)

// Decision is what the task decides about a scan.
type Decision struct {
	Way Way
	// Turn is the number of clusters to turn by; 0 for Straight and Stop.
	Turn int32
	// Objects is the number of obstacles.
	Objects int32
}

// Decide finds the obstacles in all directions. If one is in the way, it finds
// the nearest gap that is wide enough, on the side with the smaller turn.
func Decide(s *Scan) Decision {
	var d Decision
	var blocked [Points]bool
	before := false
	for i, mm := range s.Distances {
		blocked[i] = mm >= leastValid && mm < near
		if blocked[i] && !before {
			d.Objects++
		}
		before = blocked[i]
	}
	inTheWay := false
	for i := front - ahead; i <= front+ahead; i++ {
		inTheWay = inTheWay || blocked[i]
	}
	if !inTheWay {
		return d
	}
	left, right := gap(&blocked, 1), gap(&blocked, -1)
	switch {
	case left == 0 && right == 0:
		d.Way = Stop
	case right == 0, left != 0 && left < right:
		d.Way, d.Turn = Left, left
	default:
		d.Way, d.Turn = Right, right
	}
	return d
}

// gap returns the turn to the middle of the nearest gap on one side, 0 if there
// is none.
func gap(blocked *[Points]bool, step int) int32 {
	free := 0
	for i := front; i >= 0 && i < Points; i += step {
		if blocked[i] {
			free = 0
			continue
		}
		if free++; free == open {
			return int32((i-front)*step - open/2)
		}
	}
	return 0
}
