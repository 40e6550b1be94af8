package pricing

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCommitments(t *testing.T) {
	book, err := NewBook(
		WithCommitment(Commitment{"m5.large", 3, 0.06}),
		WithCommitment(Commitment{"c5.large", 2, 0.05}),
		WithCommitment(Commitment{"m5.large", 5, 0.061}),
	)
	require.NoError(t, err)
	want := []Commitment{{"c5.large", 2, 0.05}, {"m5.large", 5, 0.061}}
	got := book.Commitments()
	assert.Equal(t, want, got, "the later one for m5.large holds")
	got[0].Count = 100
	assert.Equal(t, want, book.Commitments(), "a book does not change")
	assert.Equal(t, "2 x c5.large committed to at $0.05/h, 5 x m5.large committed to at $0.061/h", book.String())

	c := catalog(t)
	applied, err := book.Apply(c)
	require.NoError(t, err)
	assert.Equal(t, prices(c), prices(applied), "the price of one more instance stays")
	assert.Empty(t, (&Book{}).Commitments())
}

func TestCommitmentToUnknownType(t *testing.T) {
	book, err := NewBook(WithCommitment(Commitment{"m5.lrge", 3, 0.06}))
	require.NoError(t, err)
	_, err = book.Apply(catalog(t))
	require.ErrorIs(t, err, ErrUnknownInstanceType)
	assert.EqualError(t, err, "price book: commitment: unknown instance type \"m5.lrge\", did you mean \"m5.large\"?")
}
