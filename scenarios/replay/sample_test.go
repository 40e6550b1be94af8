package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSeedsDoNotDependOnWorkers: the same bytes whoever is done first.
func TestSeedsDoNotDependOnWorkers(t *testing.T) {
	document := func(workers int) string {
		var progress []int
		results, err := Seeds(context.Background(), 9, workers, func(_ context.Context, seed uint64) (*Result, error) {
			return runFleet(t, "karpenter", seed, time.Duration(10-seed)*time.Hour, time.Hour), nil
		}, func(done, total int) {
			assert.Equal(t, 9, total)
			progress = append(progress, done)
		})
		require.NoError(t, err)
		require.Len(t, results, 9)
		assert.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, progress)
		return rendered(t, func(w io.Writer) error { return WriteJSON(w, results...) })
	}
	want := document(1)
	for _, workers := range []int{-1, 2, 4, 100} {
		require.Equal(t, want, document(workers), "%d workers", workers)
	}
}

// TestSeedsOutOfOrder: results are in the order of seeds though the first is done last.
func TestSeedsOutOfOrder(t *testing.T) {
	others := make(chan struct{}, 3)
	results, err := Seeds(context.Background(), 4, 4, func(_ context.Context, seed uint64) (*Result, error) {
		if seed == 1 {
			for range 3 {
				<-others
			}
		} else {
			others <- struct{}{}
		}
		return &Result{Seed: seed}, nil
	}, nil)
	require.NoError(t, err)
	for i, r := range results {
		assert.Equal(t, uint64(i+1), r.Seed)
	}
}

// TestSeedsCancelled: what is done is returned, and what was cut short.
func TestSeedsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var ran atomic.Int32
	results, err := Seeds(ctx, 100, 2, func(ctx context.Context, seed uint64) (*Result, error) {
		ran.Add(1)
		switch seed {
		case 3: // is cut short, and says so by its result
			<-ctx.Done()
			return &Result{Seed: seed}, nil
		case 5: // is cut short, and says so by an error
			cancel()
			return nil, fmt.Errorf("replay: %w", ctx.Err())
		}
		return &Result{Seed: seed, Complete: true}, nil
	}, nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.EqualError(t, err, context.Canceled.Error(), "no seed is to blame")
	assert.LessOrEqual(t, ran.Load(), int32(6))
	var seeds []uint64
	for _, r := range results {
		seeds = append(seeds, r.Seed)
		assert.Equal(t, r.Seed != 3, r.Complete)
	}
	assert.Equal(t, []uint64{1, 2, 3, 4}, seeds[:4])

	results, err = Seeds(ctx, 3, 1, func(context.Context, uint64) (*Result, error) { panic("never") }, nil)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, results)
}

// TestSeedsFail: the error is that of the smallest seed that fails.
func TestSeedsFail(t *testing.T) {
	fault := errors.New("no such node pool")
	for _, workers := range []int{1, 3, 20} {
		results, err := Seeds(context.Background(), 20, workers, func(_ context.Context, seed uint64) (*Result, error) {
			if seed == 4 || seed == 5 || seed == 11 {
				return nil, fault
			}
			return &Result{Seed: seed}, nil
		}, nil)
		require.ErrorIs(t, err, fault)
		assert.EqualError(t, err, "seed 4: no such node pool")
		assert.GreaterOrEqual(t, len(results), 3)
	}
	results, err := Seeds(context.Background(), 0, 4, nil, nil)
	assert.NoError(t, err)
	assert.Empty(t, results)
}
