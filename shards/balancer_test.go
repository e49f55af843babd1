package shards

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
)

// world is a group of members with their claims, before a division.
type world struct {
	claims     map[string]claim
	partitions []int
}

// someWorld makes claims as a long life of a group leaves them: stale, doubled,
// of partitions that are no more, of members that leave.
func someWorld(r *rand.Rand) world {
	w := world{claims: map[string]claim{}}
	for p := range r.IntN(70) {
		w.partitions = append(w.partitions, p)
	}
	for i := range 1 + r.IntN(8) {
		c := claim{Generation: int32(r.IntN(5)), Partitions: []int{}, Leaving: r.IntN(4) == 0}
		for range r.IntN(60) {
			c.Partitions = append(c.Partitions, r.IntN(80)-5)
		}
		w.claims[fmt.Sprintf("m%d-%x", i, r.Uint32())] = c
	}
	return w
}

func (w world) staying() []string {
	var ids []string
	for id, c := range w.claims {
		if !c.Leaving {
			ids = append(ids, id)
		}
	}
	return ids
}

// keepable is how many partitions a fair division can leave where they are: the
// best over all ways to say who has one more.
func (w world) keepable() int {
	holds := map[string]int{}
	for _, p := range w.partitions {
		best, at := "", int32(-1)
		for _, id := range slices.Sorted(slices.Values(w.staying())) {
			if c := w.claims[id]; slices.Contains(c.Partitions, p) && c.Generation > at {
				best, at = id, c.Generation
			}
		}
		holds[best]++
	}
	ids := w.staying()
	quota, larger, best := len(w.partitions)/len(ids), len(w.partitions)%len(ids), 0
	for subset := range 1 << len(ids) {
		n, kept := 0, 0
		for i, id := range ids {
			q := quota
			if subset>>i&1 == 1 {
				q, n = q+1, n+1
			}
			kept += min(holds[id], q)
		}
		if n == larger {
			best = max(best, kept)
		}
	}
	return best
}

func TestDivisionOfAnyClaims(t *testing.T) {
	for seed := range uint64(800) {
		r := rand.New(rand.NewPCG(seed, 4))
		w := someWorld(r)
		got := divide(w.claims, w.partitions)
		staying := w.staying()
		if len(staying) == 0 {
			if len(got) != 0 {
				t.Fatalf("seed %d: %v, though all are leaving", seed, got)
			}
			continue
		}
		var all []int
		kept := 0
		for id, ps := range got {
			if w.claims[id].Leaving || len(ps) < len(w.partitions)/len(staying) || len(ps) > (len(w.partitions)+len(staying)-1)/len(staying) {
				t.Fatalf("seed %d: member %s (%+v) has %d of %d partitions among %d", seed, id, w.claims[id], len(ps), len(w.partitions), len(staying))
			}
			all = append(all, ps...)
			for _, p := range ps {
				if w.holder(p) == id {
					kept++
				}
			}
		}
		if slices.Sort(all); !slices.Equal(all, w.partitions) {
			t.Fatalf("seed %d: given %v, want each of %v once", seed, all, w.partitions)
		}
		if want := w.keepable(); kept != want {
			t.Fatalf("seed %d: %d partitions stay where they were, %d could", seed, kept, want)
		}
	}
}

// holder is the member whose claim to a partition counts.
func (w world) holder(p int) string {
	best, at := "", int32(-1)
	for _, id := range slices.Sorted(slices.Values(w.staying())) {
		if c := w.claims[id]; slices.Contains(c.Partitions, p) && c.Generation > at {
			best, at = id, c.Generation
		}
	}
	return best
}

// Whoever leads the group, and in whatever order the broker lists members and
// partitions, the division is the same; a second one moves nothing.
func TestDivisionIsTheSameForEveryLeader(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 5))
		w := someWorld(r)
		var members []kafka.GroupMember
		for id, c := range w.claims {
			data, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			members = append(members, kafka.GroupMember{ID: id, Topics: []string{"t"}, UserData: data})
		}
		partitions := []kafka.Partition{{Topic: "another", ID: 3}}
		for _, p := range w.partitions {
			partitions = append(partitions, kafka.Partition{Topic: "t", ID: p})
		}
		first := (&sticky{topic: "t"}).AssignGroups(members, partitions)
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		r.Shuffle(len(partitions), func(i, j int) { partitions[i], partitions[j] = partitions[j], partitions[i] })
		if second := (&sticky{topic: "t"}).AssignGroups(members, partitions); !reflect.DeepEqual(first, second) {
			t.Fatalf("seed %d: %v and %v", seed, first, second)
		}
		for i, m := range members {
			if !w.claims[m.ID].Leaving {
				members[i].UserData, _ = json.Marshal(claim{Generation: 9, Partitions: first[m.ID]["t"]})
			}
		}
		if again := (&sticky{topic: "t"}).AssignGroups(members, partitions); !reflect.DeepEqual(first, again) {
			t.Fatalf("seed %d: a second division moved something: %v, then %v", seed, first, again)
		}
	}
}

func TestMovesAsMembersComeAndGo(t *testing.T) {
	tests := []struct{ from, to, moves int }{
		{1, 2, 32},
		{2, 3, 21},
		{3, 4, 16},
		{9, 10, 6},
		{19, 20, 3},
		{3, 2, 21},
		{4, 3, 16},
		{10, 9, 6},
		{20, 19, 3},
		{3, 0, 64},
	}
	partitions := make([]int, 64)
	for p := range partitions {
		partitions[p] = p
	}
	for _, tc := range tests {
		t.Run(fmt.Sprintf("%d to %d", tc.from, tc.to), func(t *testing.T) {
			claims := map[string]claim{}
			for n := range max(tc.from, tc.to) { // as they come, one by one
				claims[fmt.Sprintf("m%02d", n)] = claim{}
				if n >= tc.from {
					break
				}
				claims = claimsOf(divide(claims, partitions), int32(n))
			}
			before := owners(claims)
			emptiest := slices.SortedFunc(maps.Keys(claims), func(a, b string) int {
				return cmp.Or(len(claims[a].Partitions)-len(claims[b].Partitions), strings.Compare(a, b))
			})
			for n := range tc.from - tc.to {
				c := claims[emptiest[n]]
				c.Leaving = true
				claims[emptiest[n]] = c
			}
			after := owners(claimsOf(divide(claims, partitions), 99))
			moves := 0
			for _, p := range partitions {
				if before[p] != after[p] {
					moves++
				}
			}
			if moves != tc.moves {
				t.Errorf("%d partitions moved, want %d", moves, tc.moves)
			}
		})
	}
}

func claimsOf(divided map[string][]int, generation int32) map[string]claim {
	claims := map[string]claim{}
	for id, ps := range divided {
		claims[id] = claim{Generation: generation, Partitions: ps}
	}
	return claims
}

func owners(claims map[string]claim) map[int]string {
	of := map[int]string{}
	for id, c := range claims {
		for _, p := range c.Partitions {
			of[p] = id
		}
	}
	return of
}

func TestClaim(t *testing.T) {
	s := &sticky{topic: "t"}
	want := func(text string) {
		t.Helper()
		if got, err := s.UserData(); err != nil || string(got) != text {
			t.Errorf("user data %s, %v, want %s", got, err, text)
		}
	}
	s.set(3, []int{})
	want(`{"g":3,"p":[]}`)
	s.set(4, []int{1, 5})
	want(`{"g":4,"p":[1,5]}`)
	s.leave()
	want(`{"g":4,"p":[1,5],"l":true}`)

	// What it can't read counts as no claim, and stops nothing.
	members := []kafka.GroupMember{
		{ID: "a", UserData: []byte(`{"g":1,"p":[0,1]}`)}, {ID: "b", UserData: []byte("\x00garbage")}, {ID: "c"},
	}
	partitions := []kafka.Partition{{Topic: "t", ID: 0}, {Topic: "another", ID: 9}, {Topic: "t", ID: 1}, {Topic: "t", ID: 2}}
	got := s.AssignGroups(members, partitions)
	if want := (kafka.GroupMemberAssignments{"a": {"t": {0}}, "b": {"t": {1}}, "c": {"t": {2}}}); !reflect.DeepEqual(got, want) {
		t.Errorf("assigned %v, want %v", got, want)
	}
	if s.isLast() {
		t.Error("it is the last one, though nobody leaves")
	}
	s.AssignGroups([]kafka.GroupMember{{ID: "a", UserData: []byte(`{"g":1,"p":[0],"l":true}`)}}, partitions)
	if !s.isLast() {
		t.Error("it is not the last one, though it is alone and leaves")
	}
}
