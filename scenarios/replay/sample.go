package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Seeds runs replays with the seeds 1 to n, several at once, and returns their
// results in the order of seeds, whichever is done first. What run returns may
// depend on the seed alone; it is called from several goroutines, at most workers
// at a time (one if workers is below 1). If progress is not nil it is called after
// each replay, never twice at once, with how many are done.
//
// When ctx is cancelled no further replay starts, and Seeds returns the results
// there are, with ctx's error; those of replays that were cut short are among them
// if run returns them, with [Result.Complete] false. When a replay fails Seeds
// finishes those under way and returns the error of the smallest seed that failed,
// which does not depend on the number of workers, with the results there are.
func Seeds(
	ctx context.Context, n, workers int, run func(ctx context.Context, seed uint64) (*Result, error), progress func(done, total int),
) ([]*Result, error) {
	results, errs := make([]*Result, n), make([]error, n)
	var (
		mu         sync.Mutex
		next, done int
		failed     bool
		replays    sync.WaitGroup
	)
	// take hands out the next seed's index.
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == n || failed || ctx.Err() != nil {
			return 0, false
		}
		next++
		return next - 1, true
	}
	finish := func(i int, r *Result, err error) {
		mu.Lock()
		defer mu.Unlock()
		results[i], errs[i] = r, err
		if err != nil {
			failed = true
			return
		}
		done++
		if progress != nil {
			progress(done, n)
		}
	}
	for range min(max(workers, 1), n) {
		replays.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				r, err := run(ctx, uint64(i)+1)
				finish(i, r, err)
			}
		})
	}
	replays.Wait()

	var there []*Result
	for _, r := range results {
		if r != nil {
			there = append(there, r)
		}
	}
	for i, err := range errs {
		if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
			return there, fmt.Errorf("seed %d: %w", i+1, err)
		}
	}
	return there, ctx.Err()
}
