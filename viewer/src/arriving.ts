// A volume and its labels on their way into the page, at the resolution that this machine can draw.

import { useEffect, useMemo, useState } from "preact/hooks";
import type { Chosen } from "./address";
import { labelVolume, type Header } from "./datastore";
import { volumeAt } from "./fetching";
import { isSlow } from "./graphics";
import type { Labelmap } from "./labelmap";

const MOST = { slow: 128, fast: 256 }; // voxels along an axis that a browser is given at once
const MOST_BYTES = 100_000_000;

const BYTES: Record<string, number> = {
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int64: 8,
  uint64: 8,
  float64: 8,
  complex64: 8,
};

// What a server has to reduce a volume to; null where the browser can take it as it is.
export function reducedTo(header: Header): number | null {
  const [x = 1, y = 1, z = 1] = header.shape;
  const size = x * y * z * (BYTES[header.dtype ?? ""] ?? 4);
  const most = isSlow() ? MOST.slow : MOST.fast;
  return Math.max(x, y, z) > most || size > MOST_BYTES ? most : null;
}

export interface Label {
  chosen: Chosen;
  v: string; // tells versions apart that have the same address
}

export interface Arriving {
  data: ArrayBuffer | null; // while another is on its way, the one before it
  coming: boolean;
  come: number;
  of: number | null;
  error: Error | null;
}

export function useVolume(address: string): Arriving {
  const [state, setState] = useState<Arriving>({
    data: null,
    coming: true,
    come: 0,
    of: null,
    error: null,
  });
  useEffect(() => {
    let current = true;
    const base = { data: null, coming: false, come: 0, of: null, error: null };
    setState((before) => ({ ...base, data: before.data, coming: true })); // what is drawn stays until the next has come
    let told = 0;
    volumeAt(address, (come, of) => {
      if (!current || performance.now() - told < 100) return;
      told = performance.now();
      setState((before) => ({ ...before, come, of }));
    }).then(
      (data) => current && setState({ ...base, data }),
      (error: Error) => current && setState({ ...base, error }),
    );
    return () => {
      current = false;
    };
  }, [address]);
  return state;
}

export interface Read {
  value: Labelmap | null;
  error: Error | null;
}

const NOTHING: Read = { value: null, error: null };

export function useLabelmap(image: string, label: Label | null, size: number | null): Read {
  const address = label && `${labelVolume(image, label.chosen, size)}&v=${label.v}`;
  const [state, setState] = useState<Read & { address: string | null }>({ ...NOTHING, address: null });
  useEffect(() => {
    let current = true;
    if (!address) return;
    Promise.all([volumeAt(address), import("./labelmap")])
      .then(([data, { labelmap }]) => labelmap(data))
      .then(
        (value) => current && setState({ value, error: null, address }),
        (error: Error) =>
          current &&
          setState({ value: null, error: new Error(`The label cannot be shown. ${error.message}`), address }),
      );
    return () => {
      current = false;
    };
  }, [address]);
  return state.address === address ? state : NOTHING;
}

export function useDifference(newer: Labelmap | null, older: Labelmap | null): Read {
  const [module, setModule] = useState<typeof import("./labelmap") | null>(null);
  useEffect(() => {
    if (older) void import("./labelmap").then(setModule);
  }, [older]);
  return useMemo(() => {
    if (!newer || !older || !module) return NOTHING;
    try {
      return { value: module.difference(older, newer), error: null };
    } catch (error) {
      return { value: null, error: error as Error };
    }
  }, [newer, older, module]);
}
