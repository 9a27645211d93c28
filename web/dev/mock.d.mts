export function startMock(port?: number): Promise<{
  origin: string;
  seen: { method: string; path: string; query: string; body: string }[];
  hold: () => () => void;
  close: () => Promise<unknown>;
}>;
