// The parcels as their service has them.
const PARCELS = {
  "p-1": { version: 1, status: "ACCEPTED", address: "Mill Lane 1", grams: 400 },
  "p-2": { version: 1, status: "ACCEPTED", address: "Quay 7", grams: 2500 },
};
const parcel = ({ id }) => (PARCELS[id] ? { id, ...PARCELS[id] } : null);

export const Query = { parcel };
export const entities = { Parcel: parcel };
